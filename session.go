package session

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/frames"
	"github.com/nestsession/session/internal/verified"
)

// Digest stands for the session in events and in [Info]: the same on every node,
// and worth nothing to a thief. It changes with the id. "" for a session without one.
func (s *Session[T]) Digest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key == "" {
		return ""
	}
	return s.m.digest(s.key)
}

// Session is one client's session, as one request has it. It holds the request's
// own view of the data: what other requests save meanwhile is seen after Save or
// Reload, and merged into what this one saves.
//
// Methods that take a context do store I/O and can fail; the others do neither.
// The methods may be called from several goroutines.
type Session[T any] struct {
	m  *Manager[T]
	r  *http.Request
	mu frames.Mutex

	state   state
	id      string           // in the cookie; "" until there is need of one
	key     string           // of the record
	alias   string           // of the record that Renew left behind, if it was found through that
	sent    *verified.Cookie // the well-signed cookie that the request came with
	opening deadline.Context // of the load by Open; here to spare an allocation

	identity
	base[T]
	changes[T]
	reply
	progress
}

// ID returns the id that the client's cookie holds, or will: whoever has it is the
// user. Keep it out of logs, pages and errors; events and Info have a digest that
// is safe. A new session gets its id at the first call, or when it is saved. "" if
// the session has ended, or Config.GenID fails (Save returns its error).
func (s *Session[T]) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateNew {
		_ = s.needID() // the error comes back from the save, which tries again
	}
	return s.id
}

func (s *Session[T]) needID() error {
	if s.id != "" {
		return nil
	}
	id, err := s.m.makeID(s.r)
	if err == nil {
		s.setID(id)
	}
	return err
}

func (s *Session[T]) setID(id string) { s.id, s.key, s.alias = id, s.m.key(id), "" }

// IsNew reports whether no store has the session yet: the client came without one,
// or it was regenerated and not saved since.
func (s *Session[T]) IsNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateNew
}

// Data returns the request's view of the data; the zero value if the session has
// ended. Calls without an Update between them return the same maps, slices and
// pointers. Changes go through [Session.Update]: one that is made to what Data
// returned fails the save with [ErrUnrepeatable].
func (s *Session[T]) Data() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := s.look()
	s.show()
	return *view
}

// Update applies fn to the request's view of the data and records it, to be saved
// before the response's header leaves. fn may be called several times: Save runs
// it again on the stored data, and once more on each version that another request
// saved first, so that no concurrent update is lost. So fn only changes what it is
// given, by values captured before: it reads no clock, no random source, nothing
// that changes, and calls no method of the session, which fails the save with
// [ErrReentrant]. It may set a variable of the caller's, which after a Save without an
// error says what the run did that was stored; [Take] does both. What fn puts in is
// copied: a change of it afterwards is not seen. On a session that has ended it does
// nothing. When the request is over, only Save stores it.
func (s *Session[T]) Update(fn func(data *T)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state <= stateStored && !s.mu.InUpdate() {
		s.update(fn)
	}
}

// Touch counts as use: the idle timeout begins anew, and the store is told when the
// session is saved, however little the expiry moves. Every request that opens the
// session does this by itself, as far as Config.TouchInterval asks.
func (s *Session[T]) Touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched = true
	s.expires = s.expiry(s.m.present())
}

// Discard takes the session out of the request: nothing is saved, touched or sent,
// and what was not saved is lost. The session itself lives on. It is what
// `req.session = null` is in express-session.
func (s *Session[T]) Discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateDiscarded {
		s.was, s.state = s.state, stateDiscarded
	}
	s.forget()
}

// Owner returns whose session it is, "" for nobody's.
func (s *Session[T]) Owner() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner
}

// SetOwner says whose session it is: a name of the application's own choice for
// the user, such as "user:42", under which Manager.List and RevokeOwner find it.
// "" for nobody's. It is saved with the data.
func (s *Session[T]) SetOwner(owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != owner {
		s.changing()
		if !s.ownerMoved {
			s.ownerBefore = s.owner
		}
		s.owner, s.ownerMoved = owner, true
	}
}

// AuthenticatedAt returns when the user last logged in by [Session.Login]; the zero time
// if that was never called for this session.
func (s *Session[T]) AuthenticatedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.authenticated.Time()
}

// Created returns when the session began; Renew does not change it. The zero time
// where neither Config.AbsoluteTimeout nor an owner asks for it to be kept.
func (s *Session[T]) Created() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.created.Time()
}

// LastUsed returns when the session was last used before this request, as exactly
// as Config.TouchInterval asks for it to be written.
func (s *Session[T]) LastUsed() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastUsed().Time()
}

// Expires returns when the session ends unless it is used before: the earlier of
// the idle and the absolute timeout. The zero time if neither is set.
func (s *Session[T]) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expires.Time()
}

func (s *Session[T]) isNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateNew
}

func (s *Session[T]) isSent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cookieSent
}

// Cookie returns how this session's cookie is set. MaxAge is the lifetime from each
// visit on; Expires is always zero, see [Session.Expires].
func (s *Session[T]) Cookie() Cookie {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := *s.settings
	c.MaxAge, c.Expires = maxAgeOf(s.lifetime), time.Time{}
	return c
}

// SetCookie gives the session a cookie of its own in place of the Config's; it is
// sent with this response, and kept with the session. A cookie that cannot be
// written (see Config.Cookie) fails the save.
func (s *Session[T]) SetCookie(c Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lifetime, expires := s.lifetime, s.expires
	s.set(c)
	if !s.m.policy.saveIsUse() && s.lifetime == lifetime {
		s.expires = expires // other settings do not count as use
	}
}

// SetMaxAge gives the session a lifetime of its own: "remember me". It replaces the
// Config's MaxAge and IdleTimeout. The absolute timeout remains, for the browser's cookie
// too: raise Config.AbsoluteTimeout for a longer life, of which a line in the log reminds.
// Zero: until the browser closes. A negative one fails the save, since the session would
// be over before it begins: [Session.Destroy] ends one.
func (s *Session[T]) SetMaxAge(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := *s.settings
	c.MaxAge, c.Expires = d, time.Time{}
	s.set(c)
}

// Format prints the session's digest, whatever the verb: a session that gets into a
// log line or an error by accident does not take its id there.
func (s *Session[T]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "session "+s.Digest()) }

// LogValue is Format for log/slog.
func (s *Session[T]) LogValue() slog.Value { return slog.StringValue(s.Digest()) }
