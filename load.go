package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/jar"
	"github.com/nestsession/session/internal/records"
	"github.com/nestsession/session/internal/token"
	"github.com/nestsession/session/internal/verified"
	"github.com/nestsession/session/store"
)

// catchUp updates s if the session was renewed while a connection was open. The pointer to
// the new record may no longer exist by now.
func (s *Session[T]) catchUp() {
	if moved := s.successor.Swap(nil); moved != nil && s.state == stateStored && s.key != *moved {
		s.alias, s.key = s.key, *moved
	}
}

// warnCopiesEvery limits how often the log warns of clients that send several cookies.
const warnCopiesEvery = time.Hour

// identify finds the session that the request's cookies name, or value, its token. sent is nil if no cookie has
// a valid signature; otherwise at and err are the result of [Manager.load]. [jar.Search]
// chooses among several cookies with the name, and among the former names.
func (m *Manager[T]) identify(ctx context.Context, s *Session[T], value string) (sent *verified.Cookie, at loaded[T], err error) {
	lines := s.r.Header["Cookie"]
	n := 1
	switch {
	case s.source == token.Cookie:
		value, n = cookie.Lookup(lines, m.name)
	case value == "":
		return nil, at, nil
	case s.settings.Secure == SecureAlways && !s.secure: // a browser would not have sent the cookie either
		m.insecure(ctx, EventRejected, "")
		return nil, at, nil
	}
	switch {
	case n == 0 && !jar.Sent(lines, m.former):
		return nil, at, nil
	case n == 0, n > 1 && !m.firstCookie:
		return m.search(ctx, s, lines)
	}
	if sent, err = m.cookies.Verify(value); err != nil {
		if s.source == token.Cookie && jar.Sent(lines, m.former) {
			return m.search(ctx, s, lines)
		}
		m.refuseCookie(ctx, err)
		return nil, at, nil
	}
	at, err = m.load(ctx, sent.Key, document.Opener{ID: sent.ID})
	return sent, at, err
}

// refuseCookie reports a cookie that is not accepted. err is the signer's.
func (c *core) refuseCookie(ctx context.Context, err error) {
	reason := ReasonMalformed
	if errors.Is(err, cookie.ErrSignature) {
		reason = ReasonSignature
	}
	c.emit(ctx, Event{Kind: EventRejected, Reason: reason}, "")
}

// search is identify for a request with several cookies of the name, or none. Several
// result from a change of Domain, Path or Partitioned, or an attacker on a neighboring host
// has planted one. The response clears those that are not used.
func (m *Manager[T]) search(ctx context.Context, s *Session[T], lines []string) (*verified.Cookie, loaded[T], error) {
	search := jar.Search{Lines: lines, Name: m.name, Former: m.former, TakeFirst: m.firstCookie, Verify: m.cookies.Verify,
		Refused: func(err error) { m.refuseCookie(ctx, err) },
		Several: func(name string, n int) {
			m.emit(ctx, Event{Kind: EventRejected, Reason: ReasonDuplicate}, "")
			m.warn(ctx, &m.warnedCopies, warnCopiesEvery, "session: a client has sent several cookies of one name: Config.Cookie was changed, or another host of the domain "+
				"sets one too; the response clears those that are not the session's, and Config.OnEvent reports each", "name", name, "cookies", n)
		},
		Load: func(v *verified.Cookie) jar.Answer {
			at, err := m.load(ctx, v.Key, document.Opener{ID: v.ID})
			superseded, undecodable := (*records.Superseded)(nil), (*records.Undecodable)(nil)
			return jar.Answer{Record: at, Key: at.key, Err: err, Superseded: errors.As(err, &superseded), Dead: records.IsOver(err) || errors.As(err, &undecodable)}
		},
	}
	r := search.Find()
	s.resend, s.copies, s.copied = r.Resend, r.Clearing, r.Name
	at, _ := r.Answer.Record.(loaded[T])
	return r.Cookie, at, r.Answer.Err
}

// clearCopies expires the cookies that came beside the session's (see [jar.Clearer]).
func (s *Session[T]) clearCopies(h http.Header) {
	if h == nil || s.copies == jar.ClearNone {
		return
	}
	c := s.clearer(h)
	c.Copies(s.copied, s.settings.named(s.m.name), s.copies)
	s.copies = jar.ClearNone
}

// clearFormer expires the cookies that the session had before Config.Cookie was changed. It
// is called when the session gets another cookie or has ended.
func (s *Session[T]) clearFormer(h http.Header) {
	if len(s.m.former) == 0 {
		return
	}
	c := s.clearer(h)
	for _, former := range s.m.former {
		c.IfSent(former)
	}
}

func (s *Session[T]) clearer(h http.Header) jar.Clearer {
	return jar.Clearer{Header: h, Request: s.r, Secure: s.secure, Attributes: s.settings.attributes(0)}
}

// reload loads the session again. It keeps the recorded functions and drops the view. It
// returns a [records.Superseded] if a login has taken over the session's data.
func (s *Session[T]) reload(ctx context.Context) error {
	err := s.reloadIfMoved(ctx)
	if records.CarriesOn(err) != nil {
		return err
	}
	if records.IsOver(err) {
		return s.revoked(ctx)
	}
	if err != nil {
		return records.Failed("loading", err)
	}
	return nil
}

// reloadIfMoved is reload with the error of [Manager.load].
func (s *Session[T]) reloadIfMoved(ctx context.Context) error {
	at, err := s.m.load(ctx, s.key, s.doc.Opener(s.id))
	if err != nil {
		return err
	}
	s.moveWith(at)
	s.recorded.Unview()
	s.adopt(at)
	return nil
}

// moveWith records where the session was found.
func (s *Session[T]) moveWith(at loaded[T]) {
	if at.key == s.key {
		return
	}
	s.alias = s.key
	if at.id != "" {
		s.id = at.id
	}
}

// Open returns the session that the request's cookie, or its token, names. It returns a new session if
// there is no cookie, or if the cookie is malformed, badly signed, unknown or expired; an
// event reports each of the latter. The caller must call [Manager.Commit] at the end. Open
// and Commit are for frameworks that do not use net/http; with net/http use HandlerFunc or
// Handler, which call them.
//
// The error is [ErrOutsidePath] or the store's. After an error there is no session, and the
// request must not be served as an anonymous one.
func (m *Manager[T]) Open(r *http.Request) (*Session[T], error) {
	s := new(Session[T])
	if err := m.open(r.Context(), r, s); err != nil {
		return nil, err
	}
	return s, nil
}

func (m *Manager[T]) open(ctx context.Context, r *http.Request, s *Session[T]) error {
	settings := m.settings(r)
	text, source := m.header.Choose(r.Header, m.name, m.former)
	if path := settings.path(); path != "/" && source != token.Header && !jar.Covers(path, jar.RequestPath(r)) {
		return ErrOutsidePath
	}
	s.m, s.r, s.secure, s.source = m, r, m.secure(r), source
	s.useCookie(settings)
	s.opening.Timeout, s.opening.Parent, s.opening.Follows = m.records.LoadTimeout, ctx, true
	sent, at, err := m.identify(&s.opening, s, text)
	if s.sent = sent; sent == nil && err == nil {
		s.opening.End()
		s.begin(m.present())
		return nil
	}
	if errors.Is(err, store.ErrExpired) {
		m.endExpired(&s.opening, sent.Key, at, err)
	}
	s.opening.End()
	if err == nil {
		s.id = at.id
		if at.key != sent.Key {
			s.alias = sent.Key
			s.repair = at.id != "" && at.doc.Meta.Unseen
		}
		s.adopt(at)
		s.origin = s.doc
		m.unreadMembers(ctx, s.doc.Misfits, s.owner, s.key)
		if m.guard != nil {
			var lapses time.Time
			lapses, err = m.guard.Admit(m.exchanges.Lock(ctx), r, s)
			s.lapses = document.InstantOf(lapses)
		}
		return err
	}
	if superseded := (*records.Superseded)(nil); errors.As(err, &superseded) && !superseded.Past {
		m.emit(ctx, Event{Kind: EventRejected, Reason: ReasonSuperseded}, sent.Key)
		s.begin(m.present())
		s.superseded = true
		return nil
	} else if superseded != nil || errors.Is(err, store.ErrNotFound) {
		if !errors.Is(err, store.ErrExpired) {
			m.emit(ctx, Event{Kind: EventRejected, Reason: ReasonUnknown}, sent.Key)
		}
		s.begin(m.present())
		return nil
	}
	if undecodable := (*records.Undecodable)(nil); errors.As(err, &undecodable) {
		m.emit(ctx, Event{Kind: EventRejected, Reason: ReasonUndecodable, Err: err}, sent.Key)
		s.begin(m.present())
		if m.policy.ownsRecords() {
			s.alias = sent.Key // Destroy, Regenerate and Login remove it; another program may still read it
		}
		return nil
	}
	err = records.Failed("loading", err)
	if ctx.Err() == nil { // otherwise the client disconnected, which is no failure
		m.emit(ctx, Event{Kind: EventLoadFailed, Err: err}, sent.Key)
	}
	return err
}

// endExpired reports a session that has expired, once: it removes the record, so that the
// cookie's next visit finds none. It leaves no tombstone.
func (m *Manager[T]) endExpired(ctx context.Context, key string, at loaded[T], err error) {
	if !errors.Is(err, records.ErrAbsolute) {
		m.emit(ctx, Event{Kind: EventExpired, Reason: ReasonIdle}, key)
		if m.policy.ownsRecords() {
			_ = m.records.Store.Delete(ctx, key) // if this fails, the store deletes it later
		}
		return
	}
	ended, _ := m.records.Remove(ctx, at.key, at.rec.Version, ErrExpired) // if it fails, the next visit tries again
	if ended {
		m.emit(ctx, Event{Kind: EventExpired, Owner: at.doc.Meta.Owner, Reason: ReasonAbsolute}, at.key)
	}
}

// begin makes s a new session.
func (s *Session[T]) begin(now document.Instant) {
	s.state, s.doc, s.origin = stateNew, s.m.codec.Empty, s.m.codec.Empty
	s.created, s.used = now, now
	s.owner, s.storedOwner, s.authenticated, s.methods, s.ownCookie = "", "", 0, "", false
	s.version, s.deadline = 0, 0
	s.expires = s.expiry(now)
}

// loaded is a decoded record, the key under which it was found, and the session's id. The
// id is "" if the caller cannot know it.
type loaded[T any] struct {
	rec store.Record
	doc *document.Document[T]
	key string
	id  string
}

// typed returns a record that was found with its document's type. The document is nil if it
// could not be decoded.
func typed[T any](f records.Found) loaded[T] {
	doc, _ := f.Doc.(*document.Document[T])
	return loaded[T]{f.Rec, doc, f.Key, f.ID}
}

// load is [records.Records.Load].
func (m *Manager[T]) load(ctx context.Context, key string, with document.Opener) (loaded[T], error) {
	found, err := m.records.Load(ctx, key, with)
	return typed[T](found), err
}

// adopt updates s from a record. What this request has set and not saved stays.
func (s *Session[T]) adopt(at loaded[T]) {
	s.state, s.key, s.doc, s.version = stateStored, at.key, at.doc, at.rec.Version
	info := &at.doc.Meta
	s.storedOwner = s.m.records.OwnerOf(&at.rec, info)
	if !s.ownerMoved {
		s.owner = s.storedOwner
	}
	s.created, s.used, s.authenticated, s.methods = info.Created, info.Used, info.Authenticated, info.Methods
	if s.created == 0 && s.m.records.Absolute > 0 {
		s.created = s.m.present() // written by another program: the next save stores the time
	}
	s.learn(&at)
}

// learn takes the session's lifetime from a record.
func (s *Session[T]) learn(at *loaded[T]) {
	s.deadline = document.InstantOf(at.rec.Expires)
	if !s.settingsChanged {
		if s.m.keepCookie || at.doc.Meta.OwnCookie {
			s.settings, s.lifetime = s.m.resolve(at.doc.Cookie.(*Cookie), s.secure), at.doc.Lifetime
		}
		s.ownCookie = at.doc.Meta.OwnCookie
	}
	if !s.touched && !s.settingsChanged {
		s.expires = s.within(s.deadline)
	}
}

// dropCached drops what this node has cached of a session that is no longer in the store.
// It is personal data, and no longer needed.
func (m *Manager[T]) dropCached(key string) {
	m.codec.Forget(key)
	m.cookies.Drop(key)
}
