package devicebound

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/nestsession/session"
)

// Handler returns a handler that serves Config.RegisterPath and Config.RefreshPath, and
// passes all other requests to next. Put it around the whole application, and outside of
// middleware that redirects, limits rates or answers for a visitor without a login: the
// browser takes such an answer as the end of the key.
func (b *Binding[T]) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case b.cfg.RegisterPath:
			b.serve(w, r, b.register)
		case b.cfg.RefreshPath:
			b.serve(w, r, b.refresh)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// answer is what the browser gets.
type answer struct {
	status    int
	challenge string   // for the next proof; "" for none
	set       *binding // whose cookie is set; nil for none
	clear     bool     // the bound cookie is expired
	stop      bool     // the browser forgets the key
}

// serve runs one of the two endpoints with the request's session.
func (b *Binding[T]) serve(w http.ResponseWriter, r *http.Request, do func(h http.Header, r *http.Request, s *session.Session[T]) answer) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	r, sealed := b.withSession(context.WithValue(r.Context(), exempt{}, true), r)
	s, err := b.sessions.Open(r)
	if errors.Is(err, session.ErrOutsidePath) {
		b.emit(r.Context(), &b.counts.notRegistered, Event{Kind: EventNotRegistered, Reason: ReasonPath}, nil)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable) // the manager has reported it, and the browser tries again
		return
	}
	h := http.Header{}
	a := do(h, r, s)
	if a.status != http.StatusServiceUnavailable && !sealed {
		for name, lines := range h {
			w.Header()[name] = append(w.Header()[name], lines...)
		}
	}
	b.write(w, s, a)
}

// commit saves the session, and adds its cookie to h. It returns false if the store failed.
func (b *Binding[T]) commit(h http.Header, r *http.Request, s *session.Session[T]) bool {
	return b.sessions.Commit(r.Context(), s, h) == nil
}

func (b *Binding[T]) write(w http.ResponseWriter, s *session.Session[T], a answer) {
	h := w.Header()
	if a.challenge != "" {
		h.Set(fieldChallenge, quote(a.challenge)+";id="+quote(b.name))
	}
	switch {
	case a.set != nil:
		h.Add("Set-Cookie", b.cookie(s, a.set))
	case a.clear:
		h.Add("Set-Cookie", expired(b.name, attributes(s)))
	}
	if a.status != http.StatusOK {
		w.WriteHeader(a.status)
		return
	}
	h.Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(b.instructions(s, a.stop)) // a client that has disconnected needs no answer
}

// attributes returns the bound cookie's attributes, which the browser compares. A session
// cookie that pages of other sites send needs a bound cookie that they send too.
func attributes[T any](s *session.Session[T]) string {
	if s.Cookie().SameSite == session.SameSiteNone {
		return "Path=/; Secure; HttpOnly; SameSite=None"
	}
	return "Path=/; Secure; HttpOnly; SameSite=Lax"
}

// cookie returns the Set-Cookie line of the bound cookie. The browser's expires a little
// before the server's, for requests that are in flight at that time.
func (b *Binding[T]) cookie(s *session.Session[T], of *binding) string {
	age := max(1, int((b.cfg.Lifetime-b.cfg.Lifetime/20)/time.Second))
	return b.name + "=" + b.signer.cookieValue(*of) + "; Max-Age=" + strconv.Itoa(age) + "; " + attributes(s)
}

type (
	instructions struct {
		ID          string       `json:"session_identifier"`
		Continue    *bool        `json:"continue,omitempty"`
		RefreshURL  string       `json:"refresh_url,omitempty"`
		Scope       *scope       `json:"scope,omitempty"`
		Credentials []credential `json:"credentials,omitempty"`
	}
	scope struct {
		IncludeSite bool   `json:"include_site"`
		Rules       []rule `json:"scope_specification,omitempty"`
	}
	rule struct {
		Type   string `json:"type"`
		Domain string `json:"domain"`
		Path   string `json:"path"`
	}
	credential struct {
		Type       string `json:"type"`
		Name       string `json:"name"`
		Attributes string `json:"attributes"`
	}
)

// instructions returns what tells the browser when to prove its key, or to forget it.
func (b *Binding[T]) instructions(s *session.Session[T], stop bool) instructions {
	if stop {
		return instructions{ID: b.name, Continue: new(bool)}
	}
	in := instructions{ID: b.name, RefreshURL: b.cfg.RefreshPath, Scope: &scope{}, Credentials: []credential{{"cookie", b.name, attributes(s)}}}
	for _, path := range b.cfg.Exclude {
		in.Scope.Rules = append(in.Scope.Rules, rule{"exclude", "*", path})
	}
	return in
}

// register takes the key of a login's session.
func (b *Binding[T]) register(h http.Header, r *http.Request, s *session.Session[T]) answer {
	refuse := func(status int, reason Reason, p purpose) answer {
		b.emit(r.Context(), &b.counts.notRegistered, Event{Kind: EventNotRegistered, Reason: reason}, s)
		a := answer{status: status}
		if p != nil {
			a.challenge = b.signer.challenge(p, b.cfg.Now())
		}
		return a
	}
	if s.IsNew() || s.Owner() == "" || b.cfg.Off {
		return refuse(http.StatusUnauthorized, ReasonNoSession, nil)
	}
	if s.Cookie().Domain != "" {
		return refuse(http.StatusForbidden, ReasonDomain, nil)
	}
	p, reason := b.proofOf(r)
	if reason == "" && p.key == nil {
		reason = ReasonMalformed
	}
	if reason == "" && !p.verify(p.key) {
		reason = ReasonSignature
	}
	if reason != "" {
		return refuse(http.StatusForbidden, reason, nil)
	}
	now, login := b.cfg.Now(), registering(s.Owner(), s.AuthenticatedAt())
	switch reason = b.signer.answers(login, p.jti, now, registerWithin); reason {
	case "":
	case ReasonExpired:
		return refuse(http.StatusForbidden, reason, login) // a client that has it got the login's response
	default:
		return refuse(http.StatusForbidden, reason, nil)
	}
	key, err := encodeKey(p.key)
	if err != nil {
		return refuse(http.StatusForbidden, ReasonKey, nil)
	}
	next := binding{alg: p.alg, key: key, id: rand.Text()}.next(now, b.cfg.Lifetime)
	next.bound = false
	if next, reason = b.store(h, r, s, nil, next); reason == "" {
		b.emit(r.Context(), &b.counts.registered, Event{Kind: EventRegistered}, s)
		return answer{status: http.StatusOK, set: &next, challenge: b.signer.challenge(refreshing(next), now)}
	}
	switch reason {
	case ReasonUnavailable:
		return refuse(http.StatusServiceUnavailable, reason, nil)
	case ReasonNoSession:
		return refuse(http.StatusUnauthorized, reason, nil)
	}
	return refuse(http.StatusForbidden, ReasonRegistered, refreshing(next))
}

// store replaces the session's binding, if it is of before's generation, by next, and saves.
// A nil before stands for none. It returns what is stored then, and why that is not next:
// ReasonUnavailable, ReasonNoSession, or ReasonOld if another request came first.
func (b *Binding[T]) store(h http.Header, r *http.Request, s *session.Session[T], before *binding, next binding) (binding, Reason) {
	want, won := next.String(), false
	s.UpdateNote(noteName, func(old string) string {
		if won = old == ""; before != nil {
			_, won = before.same(old)
		}
		if won {
			return want
		}
		return old
	})
	if !b.commit(h, r, s) {
		return next, ReasonUnavailable
	}
	text := s.Note(noteName)
	is, ok := parseBinding(text)
	switch {
	case won && text == want:
		return next, ""
	case won || !ok: // the session has ended, or a login has begun another
		return is, ReasonNoSession
	}
	return is, ReasonOld
}

// proofOf reads the proof in a request.
func (b *Binding[T]) proofOf(r *http.Request) (*proof, Reason) {
	if len(r.Header[fieldResponse]) == 0 {
		return nil, ReasonNoProof
	}
	text, ok := single(r.Header, fieldResponse)
	if !ok {
		return nil, ReasonMalformed
	}
	p, err := parseProof(text)
	switch {
	case errors.Is(err, errKey):
		return nil, ReasonKey
	case err != nil:
		return nil, ReasonMalformed
	case p.aud != "" && p.aud != b.audience(r):
		return nil, ReasonAudience
	}
	return p, ""
}

// audience returns the URL of the request as the browser has it.
func (b *Binding[T]) audience(r *http.Request) string {
	if b.cfg.Origin != "" {
		return b.cfg.Origin + r.URL.Path
	}
	return "https://" + r.Host + r.URL.Path
}

// refresh takes a proof of the session's key, and begins its next generation. Nothing but
// 200, 403 and 503 lets the browser keep its key, so the others mean that it is over.
func (b *Binding[T]) refresh(h http.Header, r *http.Request, s *session.Session[T]) answer {
	refuse := func(status int, reason Reason) answer {
		b.emit(r.Context(), &b.counts.notRefreshed, Event{Kind: EventNotRefreshed, Reason: reason, Skipped: skipped(r.Header, b.name)}, s)
		return answer{status: status}
	}
	if s.IsNew() {
		return refuse(http.StatusUnauthorized, ReasonNoSession)
	}
	text := s.Note(noteName)
	now := b.cfg.Now()
	if text == "" || b.cfg.Off {
		return b.stop(h, r, s, now)
	}
	is, ok := parseBinding(text)
	if !ok {
		return refuse(http.StatusUnauthorized, ReasonMalformed)
	}
	generation, reason := b.proves(r, is, now)
	if reason != "" {
		a := refuse(http.StatusForbidden, reason)
		if cookie, of, _ := b.signer.check(is, r.CookiesNamed(b.name), now, b.cfg.Overlap); cookie == "" && of >= is.generation && !elsewhere(r) {
			// A client that has the cookie and does not prove the key may be a thief, so the
			// cookie ends now. A browser that was started again proves its key at once. A form
			// that another site makes the browser post must not use up the browser's signatures.
			is.generation = of
			after := is
			after.generation, after.since, after.bound = is.generation+1, 0, true
			switch is, reason = b.store(h, r, s, &is, after); reason {
			case ReasonUnavailable:
				return answer{status: http.StatusServiceUnavailable}
			case ReasonNoSession:
				return answer{status: http.StatusUnauthorized}
			}
			a.clear = true
		}
		a.challenge = b.signer.challenge(refreshing(is), now)
		return a
	}
	is.generation = generation
	next := is.next(now, b.cfg.Lifetime)
	switch next, reason = b.store(h, r, s, &is, next); reason {
	case "":
		b.emit(r.Context(), &b.counts.refreshed, Event{Kind: EventRefreshed}, s)
		return answer{status: http.StatusOK, set: &next, challenge: b.signer.challenge(refreshing(next), now)}
	case ReasonUnavailable:
		return refuse(http.StatusServiceUnavailable, reason)
	case ReasonNoSession:
		return refuse(http.StatusUnauthorized, reason)
	}
	a := refuse(http.StatusForbidden, reason)
	a.challenge = b.signer.challenge(refreshing(next), now)
	return a
}

// proves returns why a request does not prove the binding's key. It returns "" if it does, and
// the generation of its challenge, which is later than the binding's if that is from a cache
// that has not seen the last proof.
func (b *Binding[T]) proves(r *http.Request, is binding, now time.Time) (generation uint64, reason Reason) {
	p, reason := b.proofOf(r)
	if reason != "" {
		return 0, reason
	}
	key, err := decodeKey(is.key)
	if err != nil {
		return 0, ReasonKey
	}
	if p.alg != is.alg || !p.verify(key) {
		return 0, ReasonSignature
	}
	generation, of := generationOf(p.jti), is
	of.generation = generation
	// In one generation a challenge counts once, so it may count for longer than the cookie:
	// the browser signs the challenge that it got with the last proof.
	reason = b.signer.answers(refreshing(of), p.jti, now, b.cfg.Lifetime+registerWithin)
	if reason != ReasonForged && generation < is.generation {
		reason = ReasonOld
	}
	return generation, reason
}

// stop tells a browser to forget its key, because the session has none any more. It writes,
// because a cache may have the session from before its registration: the key is not found
// only if it is not stored.
func (b *Binding[T]) stop(h http.Header, r *http.Request, s *session.Session[T], now time.Time) answer {
	s.UpdateNote(noteName, func(old string) string {
		if b.cfg.Off {
			return ""
		}
		return old
	})
	if !b.commit(h, r, s) {
		return answer{status: http.StatusServiceUnavailable}
	}
	if is, ok := parseBinding(s.Note(noteName)); ok {
		return answer{status: http.StatusForbidden, challenge: b.signer.challenge(refreshing(is), now)}
	}
	b.emit(r.Context(), &b.counts.released, Event{Kind: EventReleased}, s)
	return answer{status: http.StatusOK, clear: true, stop: true}
}
