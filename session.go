package session

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/devices"
	"github.com/nestsession/session/internal/frames"
	"github.com/nestsession/session/internal/lifetime"
	"github.com/nestsession/session/internal/token"
	"github.com/nestsession/session/internal/verified"
)

// Digest returns a short name for the session, which also stands in events and in [Info].
// It is the same on every node and is safe to log: it cannot be used to take over the
// session. It changes with the id. It is "" for a session without an id.
func (s *Session[T]) Digest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key == "" {
		return ""
	}
	return s.m.ids.Digest(s.key)
}

// Session is a client's session as one request sees it. It holds the request's own view of
// the data. Data that other requests save at the same time appear in it after Save or
// Reload; the save at the end of the request merges this request's changes into them.
//
// Methods that take a context do I/O with the store and can fail; all others do neither.
// Methods may be called from several goroutines at once.
type Session[T any] struct {
	m  *Manager[T]
	r  *http.Request
	mu frames.Mutex

	id      string           // in the cookie; "" until it is needed
	key     string           // of the record
	alias   string           // of the record that Renew left behind, if the session was found through it
	sent    *verified.Cookie // the request's cookie, if its signature is valid
	opening deadline.Context // of the load by Open; a field saves an allocation

	identity
	base[T]
	changes[T]
	reply
	progress
}

// ID returns the id in the client's cookie. Anyone who has the id can act as the user: keep
// it out of logs, pages and errors, and use [Session.Digest] there. A new session gets its
// id at the first call of ID or when it is saved. ID returns "" if the session has ended,
// or if Config.GenID fails; then Save returns that error.
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
	id, err := s.m.ids.Make(s.r)
	if err == nil {
		s.setID(id)
	}
	return err
}

func (s *Session[T]) setID(id string) {
	s.id, s.key, s.alias, s.cookieSent = id, s.m.ids.Key(id), "", false
}

// Token returns the token that the client sends in Config.Header, for a response that gives
// it out. After [Session.Login], [Session.Renew] and [Session.Regenerate] it is a new one.
// Token saves a session that is not in the store yet, as [Session.Save] does. Anyone who has
// the token can act as the user: keep it out of logs.
//
// If the request came with neither the header nor the cookie, its response sets no cookie:
// the client sends the token from now on.
//
// Errors: [ErrNoToken] if Config.Header is not set, or if the request came with an old id
// and the client has used the new one already; [ErrInsecure] over plain HTTP with
// SecureAlways; [ErrRevoked] if the session has ended; the errors of [Session.Save].
func (s *Session[T]) Token(ctx context.Context) (string, error) {
	d := s.enter(ctx)
	defer s.leave(d)
	switch {
	case s.m.header == nil:
		return "", ErrNoToken
	case s.settings.Secure == SecureAlways && !s.secure:
		return "", ErrInsecure
	case s.state > stateStored, s.follows != nil:
		return "", ErrRevoked
	case s.state == stateNew:
		if err := s.save(d); err != nil {
			s.reportSave(d, err)
			return "", err
		}
		s.saved = s.doc
	}
	text := s.m.header.Text(s.m.signer, s.id)
	if text == "" || s.alias != "" && !s.repair {
		return "", ErrNoToken
	}
	if s.source != token.Cookie {
		s.source, s.cookieSent = token.Header, true
	}
	return text, nil
}

// enter begins a method that asks the store: it locks the session, and returns the context of
// the calls. leave ends it.
func (s *Session[T]) enter(ctx context.Context) *deadline.Context {
	s.mu.Lock()
	s.catchUp()
	return s.m.forCaller(ctx)
}

func (s *Session[T]) leave(d *deadline.Context) {
	d.End()
	s.mu.Unlock()
}

// IsNew reports whether the session is not in the store yet: the client came without a
// session, or the session was regenerated and has not been saved since.
func (s *Session[T]) IsNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateNew
}

// Data returns the request's view of the data; the zero value if the session has ended. Two
// calls with no Update between them return the same maps, slices and pointers. Do not
// modify what they hold: use [Session.Update]. If it was modified, the save fails with
// [ErrUnrepeatable].
func (s *Session[T]) Data() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recorded.Data(s.replayBase())
}

// Update applies fn to the request's view of the data and records it. The change is saved
// before the response's headers are sent.
//
// fn may be called several times. Save runs it again on the stored data, and once more on
// each version that another request saved first, so that no concurrent update is lost. So
// fn only changes the data that it is given, and uses values that were captured before. It
// must not read a clock, a random source, or anything else that changes. It must not call a
// method of the session: the save then fails with [ErrReentrant]. It may set a variable of
// the caller: after a Save without an error, the variable is what the run set whose result
// was stored. [Take] does this in one call.
//
// Update copies what fn puts in, so a later change to the original has no effect. On a
// session that has ended, Update does nothing. After the end of the request, only Save
// stores the change.
func (s *Session[T]) Update(fn func(data *T)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state <= stateStored && !s.mu.InUpdate() {
		s.update(fn)
	}
}

// Touch counts as use of the session: the idle timeout starts again. The save then writes
// to the store even if the expiry moves by less than Config.StoreLimits.TouchInterval. Every request
// that opens the session is a use by itself, within the limit of Config.StoreLimits.TouchInterval.
func (s *Session[T]) Touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched = true
	s.expires = s.expiry(s.m.present())
}

// Discard detaches the session from the request: nothing is saved or touched, no cookie is
// sent, and unsaved changes are lost. The session itself lives on. It is `req.session =
// null` of express-session.
func (s *Session[T]) Discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateDiscarded {
		s.was, s.state = s.state, stateDiscarded
	}
	s.forget()
}

// Owner returns the session's owner, "" if it has none.
func (s *Session[T]) Owner() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner
}

// SetOwner sets the session's owner: a name that the application chooses for the user, such
// as "user:42". Manager.List and RevokeOwner find the session by it. "" removes the owner.
// It is saved with the data. With Config.MaxPerOwner, the save of another owner than "" fails:
// call [Session.Login].
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

// Note returns what an extension keeps under a name beside the session's data; "" if there
// is nothing, or if the session has ended. It includes this request's UpdateNote.
func (s *Session[T]) Note(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state > stateStored {
		return ""
	}
	return s.noted.On(s.doc.Meta.Notes, true).Get(name)
}

// UpdateNote replaces the note with that name by what fn returns; "" removes it. A note is
// for an extension, such as package devicebound, and not part of the data. It is stored with
// the session, sealed as the owner is, and replayed as [Session.Update] is: fn may be called
// several times, and it must not call a method of the session. Renew keeps the notes; Login
// and Regenerate drop them. If the session ends before the change is stored, or if a login
// supersedes it, the change is dropped, and Note then does not return it.
func (s *Session[T]) UpdateNote(name string, fn func(old string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state <= stateStored {
		s.changing()
		s.noted = s.noted.Then(name, fn)
	}
}

// AuthenticatedAt returns the time of the user's last [Session.Login]; the zero time if
// Login was never called for this session.
func (s *Session[T]) AuthenticatedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.authenticated.Time()
}

// Device returns what the session knows of its device: what was stored last, with the name
// that this request has set. It is the zero value if nothing is kept.
func (s *Session[T]) Device() Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Device(devices.Named(s.doc.Meta.Device, s.named))
}

// SetDeviceName gives the session's device a name that its user recognizes, such as "work
// laptop". Characters that cannot be seen are left out, and what follows the 64th is cut off.
// "" removes the name. It is saved with the data. Renew and Login keep it, except for another
// owner.
func (s *Session[T]) SetDeviceName(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name = devices.Name(name); s.state <= stateStored && name != devices.Named(s.doc.Meta.Device, s.named).Name {
		s.changing()
		s.named = &name
	}
}

// AuthenticatedBy returns the methods that the last [Session.Login] was given, in their
// order; empty if it was given none.
func (s *Session[T]) AuthenticatedBy() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Fields(s.methods)
}

// Created returns the time at which the session began; Renew does not change it. It is the
// zero time if the session has no owner, Config.AbsoluteTimeout is off, and nothing of the
// device is kept, since then the time is not stored.
func (s *Session[T]) Created() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.created.Time()
}

// LastUsed returns the time of the session's last use before this request. It is as precise
// as Config.StoreLimits.TouchInterval, which limits how often it is written.
func (s *Session[T]) LastUsed() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastUsed().Time()
}

// Expires returns the time at which the session ends if it is not used again: the earlier
// of the idle and the absolute timeout. It is the zero time if neither is set.
func (s *Session[T]) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expires.Time()
}

// Cookie returns the attributes of this session's cookie. MaxAge is the lifetime from each
// visit on. Expires is always zero; see [Session.Expires].
func (s *Session[T]) Cookie() Cookie {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := *s.settings
	c.MaxAge, c.Expires = lifetime.MaxAge(s.lifetime), time.Time{}
	return c
}

// SetCookie gives this session its own cookie attributes, which replace those of the
// Config. They are stored with the session, and the cookie is sent with this response. If
// the cookie cannot be written (see Config.Cookie), the save fails.
func (s *Session[T]) SetCookie(c Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lifetime, expires := s.lifetime, s.expires
	s.set(c)
	if !s.m.policy.saveIsUse() && s.lifetime == lifetime {
		s.expires = expires // other settings do not count as use
	}
}

// SetMaxAge gives this session its own lifetime, for example for "remember me". It replaces
// the MaxAge and the IdleTimeout of the Config. The absolute timeout still applies, to the
// browser's cookie too: for a longer lifetime, raise Config.AbsoluteTimeout (a warning in
// the log says so). Zero means until the browser closes. With a negative d the save fails,
// since the session would end before it begins; [Session.Destroy] ends a session.
func (s *Session[T]) SetMaxAge(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := *s.settings
	c.MaxAge, c.Expires = d, time.Time{}
	s.set(c)
}

// Format prints the session's digest for every verb. So a session that is printed to a log
// or an error by mistake does not reveal its id.
func (s *Session[T]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "session "+s.Digest()) }

// LogValue is Format for log/slog.
func (s *Session[T]) LogValue() slog.Value { return slog.StringValue(s.Digest()) }
