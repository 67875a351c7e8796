package devicebound

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nestsession/session"
)

// ErrRefused is the error with which a session without a valid proof is refused:
// session.Manager.Open and Load return it. It is an [http.Handler] that writes the response,
// for frameworks that call Open.
var ErrRefused = errors.New("devicebound: the session needs a proof of its key, and the request has no valid one")

// Binding binds the sessions of a manager to keys in the browsers' devices. It is safe for
// concurrent use.
type Binding[T any] struct {
	sessions *session.Manager[T]
	cfg      Config
	name     string // of the bound cookie
	signer   signer
	sealer   sealer
	counts   counts

	confirming recently
}

type counts struct {
	asked, registered, bound, refreshed, notRegistered, notRefreshed, proven, unproven, refused, released atomic.Uint64
}

// New checks cfg and binds the sessions of a manager from their next login on. Call it once
// for a manager, before the first request. The error names every field of cfg that cannot
// work.
func New[T any](sessions *session.Manager[T], cfg Config) (*Binding[T], error) {
	if err := cfg.withDefaults(); err != nil {
		return nil, err
	}
	name := strings.TrimPrefix(strings.TrimPrefix(sessions.CookieName(), "__Host-"), "__Secure-")
	b := &Binding[T]{sessions: sessions, cfg: cfg, name: "__Host-" + name + "-bound"}
	b.signer, b.sealer = sessions.DeriveKeys("devicebound "+b.name), sessions.DeriveKeys("devicebound, sealed "+b.name)
	if !cfg.Off {
		sessions.SetGuard(guard[T]{b})
	}
	return b, nil
}

// CookieName returns the name of the bound cookie: "__Host-", the name of the session
// cookie, and "-bound". It is the session's identifier for the browser too.
func (b *Binding[T]) CookieName() string { return b.name }

// IsBound reports whether a session, or the session.Info of one, is bound: a browser has
// registered a key and has shown its first proof, so that a request without a proof is
// refused.
func (b *Binding[T]) IsBound(s interface{ Note(name string) string }) bool {
	now, ok := parseBinding(s.Note(noteName))
	return ok && now.bound
}

// Release gives up the key of one session. It is saved with the session. The browser forgets
// its key when it next wants to prove it.
func (b *Binding[T]) Release(s *session.Session[T]) {
	s.UpdateNote(noteName, func(string) string { return "" })
}

// Stats returns what this process has counted.
func (b *Binding[T]) Stats() Stats {
	c := &b.counts
	return Stats{
		Asked: c.asked.Load(), Registered: c.registered.Load(), Bound: c.bound.Load(), Refreshed: c.refreshed.Load(),
		NotRegistered: c.notRegistered.Load(), NotRefreshed: c.notRefreshed.Load(),
		Proven: c.proven.Load(), Unproven: c.unproven.Load(), Refused: c.refused.Load(), Released: c.released.Load(),
	}
}

// emit counts an event and reports it.
func (b *Binding[T]) emit(ctx context.Context, counter *atomic.Uint64, e Event, s *session.Session[T]) {
	counter.Add(1)
	if b.cfg.OnEvent == nil {
		return
	}
	e.Time = b.cfg.Now()
	if s != nil {
		e.Digest, e.Owner = s.Digest(), s.Owner()
	}
	b.cfg.OnEvent(ctx, e)
}

// guard is the session.Guard of a binding.
type guard[T any] struct{ *Binding[T] }

// exempt is a key of contexts: the request is one of this package, which checks the proof by
// itself.
type exempt struct{}

// Admit refuses a bound session without a valid proof.
func (g guard[T]) Admit(ctx context.Context, r *http.Request, s *session.Session[T]) (until time.Time, err error) {
	text, owner := s.Note(noteName), s.Owner()
	if text == "" && owner == "" || r.Context().Value(exempt{}) != nil {
		return until, nil
	}
	now := g.cfg.Now()
	if text == "" {
		return until, g.admitUnbound(ctx, r, s, owner, now)
	}
	is, ok := parseBinding(text)
	if !ok {
		return until, g.refuse(ctx, r, s, ReasonMalformed)
	}
	// A stream ends with the proof that its own request has brought. A later proof of the
	// user's browser says nothing about who has opened it.
	reason, _, ends := g.signer.check(is, r.CookiesNamed(g.name), now, g.cfg.Overlap)
	if reason != "" {
		ends = is.until
	}
	until = time.UnixMilli(ends).Add(g.cfg.StreamGrace)
	switch {
	case reason == "" && is.bound:
		g.counts.proven.Add(1)
		return until, nil
	case reason == "":
		g.counts.proven.Add(1)
		if !g.confirming.first(is.id, now) {
			return until, nil
		}
		s.UpdateNote(noteName, func(old string) string {
			at, same := is.same(old)
			if !same || at.bound {
				return old
			}
			at.bound, at.since = true, now.UnixMilli()
			return at.String()
		})
		g.emit(ctx, &g.counts.bound, Event{Kind: EventBound}, s)
		return until, nil
	case !is.bound:
		return until, g.admitUnbound(ctx, r, s, owner, now) // the browser may not have the cookie yet
	case is.generation == 1 && now.Before(time.UnixMilli(is.since).Add(g.cfg.Overlap)):
		g.counts.unproven.Add(1) // sent before the browser had the cookie
		return until, nil
	case g.excluded(r):
		g.counts.unproven.Add(1)
		return time.Time{}, nil
	}
	return until, g.refuse(ctx, r, s, reason)
}

// admitUnbound refuses a session that is not bound where a key is required.
func (g guard[T]) admitUnbound(ctx context.Context, r *http.Request, s *session.Session[T], owner string, now time.Time) error {
	if g.cfg.Require != nil && owner != "" && g.cfg.Require(r, owner) && !now.Before(s.AuthenticatedAt().Add(g.cfg.RequireAfter)) && !g.excluded(r) {
		return g.refuse(ctx, r, s, ReasonNoKey)
	}
	g.counts.unproven.Add(1)
	return nil
}

// LoggedIn asks the browser for a key.
func (g guard[T]) LoggedIn(h http.Header, owner string, at time.Time) {
	challenge := g.signer.challenge(registering(owner, at), g.cfg.Now())
	code := g.sealer.seal(g.sessionCookie(h), challenge)
	h.Set(fieldRegistration, "("+es256+" "+rs256+");path="+quote(g.cfg.RegisterPath)+";challenge="+quote(challenge)+";authorization="+quote(code))
	g.counts.asked.Add(1)
	if g.cfg.OnEvent != nil {
		g.cfg.OnEvent(context.Background(), Event{Kind: EventAsked, Time: g.cfg.Now(), Owner: owner})
	}
}

func (g guard[T]) refuse(ctx context.Context, r *http.Request, s *session.Session[T], reason Reason) error {
	g.emit(ctx, &g.counts.refused, Event{Kind: EventRefused, Reason: reason, Skipped: skipped(r.Header, g.name)}, s)
	return &refusal{page: g.cfg.Refused, cookie: g.name, attributes: attributes(s)}
}
