package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/store"
)

// storeError marks what went wrong in the store, which is answered by 503: the
// request may be right, and right again later.
type storeError struct{ err error }

func (e *storeError) Error() string { return "session: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// maxHops bounds how many renewals are followed from an old id: each must have
// happened within the grace of the one before.
const maxHops = 8

// Open returns the session that the request's cookie names, or a new one: for a
// request without a cookie, and for one whose cookie is malformed, badly signed,
// unknown or expired, which is reported as an event. The caller must end with
// [Manager.Commit]. It is the seam for frameworks that are not net/http's; with
// net/http, use HandlerFunc or Handler, which call it.
//
// The error is [ErrOutsidePath], or the store's: then there is no session, not an
// anonymous one.
func (m *Manager[T]) Open(r *http.Request) (*Session[T], error) {
	s := new(Session[T])
	if err := m.open(r.Context(), r, s); err != nil {
		return nil, err
	}
	return s, nil
}

func (m *Manager[T]) open(ctx context.Context, r *http.Request, s *Session[T]) error {
	settings := m.settings(r)
	if settings.path() != "/" && !settings.covers(requestPath(r)) {
		return ErrOutsidePath
	}
	s.m, s.r, s.secure = m, r, m.secure(r)
	s.settle(settings)
	sent, found := m.sentID(ctx, r, s)
	if !found {
		s.begin(m.present())
		return nil
	}
	id, key := sent.id, sent.key
	s.opening.timeout, s.opening.parent, s.opening.follows = m.loadTimeout, ctx, true
	at, err := m.load(&s.opening, key)
	s.opening.end()
	switch {
	case err == nil:
		s.id = id
		if at.key != key {
			s.alias = key
		}
		s.adopt(at)
		s.origin = s.doc
		return nil
	case errors.Is(err, store.ErrNotFound):
		m.reportMissing(ctx, key, err)
		s.begin(m.present())
		return nil
	}
	if undecodable := (*undecodableError)(nil); errors.As(err, &undecodable) {
		m.emit(ctx, Event{Kind: EventRejected, Reason: ReasonUndecodable, Err: err}, key)
		s.begin(m.present())
		s.alias = key // Destroy and Regenerate remove it
		return nil
	}
	err = &storeError{fmt.Errorf("loading: %w", err)}
	if ctx.Err() == nil { // else the client left, which is nobody's fault
		m.emit(ctx, Event{Kind: EventLoadFailed, Err: err}, key)
	}
	return err
}

// requestPath is the path as the browser knows it, whatever http.StripPrefix took off.
// A request's target may be a whole URL (RFC 9112 section 3.2.2).
func requestPath(r *http.Request) string {
	target, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(target, "/") {
		return target
	}
	_, rest, absolute := strings.Cut(target, "://")
	if !absolute {
		return r.URL.Path
	}
	_, path, _ := strings.Cut(rest, "/")
	return "/" + path
}

// sentID finds the id in the request's cookie, and reports one that is not accepted.
func (m *Manager[T]) sentID(ctx context.Context, r *http.Request, s *Session[T]) (*verified, bool) {
	value, n := cookie.Lookup(r.Header["Cookie"], m.name)
	if n == 0 {
		return nil, false
	}
	reason := ReasonDuplicate
	if n == 1 || m.firstCookie {
		v, err := m.verify(value)
		if err == nil {
			s.sent = v
			return v, true
		}
		reason = ReasonMalformed
		if errors.Is(err, cookie.ErrSignature) {
			reason = ReasonSignature
		}
	}
	m.emit(ctx, Event{Kind: EventRejected, Reason: reason}, "")
	return nil, false
}

func (m *Manager[T]) reportMissing(ctx context.Context, key string, err error) {
	e := Event{Kind: EventRejected, Reason: ReasonUnknown}
	if errors.Is(err, errAbsolute) {
		e = Event{Kind: EventExpired, Reason: ReasonAbsolute}
	} else if errors.Is(err, store.ErrExpired) {
		e = Event{Kind: EventExpired, Reason: ReasonIdle}
	}
	m.emit(ctx, e, key)
}

// begin makes s a new session.
func (s *Session[T]) begin(now instant) {
	s.state, s.doc, s.origin = stateNew, s.m.codec.empty, s.m.codec.empty
	s.created, s.used = now, now
	s.owner, s.ownCookie = "", false
	s.version, s.deadline = 0, 0
	s.expires = s.expiry(now)
}

// loaded is a record, decoded, and the key under which it was found.
type loaded[T any] struct {
	rec store.Record
	doc *document[T]
	key string
}

// undecodableError says that a record is there and its data make no sense to us.
type undecodableError struct{ err error }

func (e *undecodableError) Error() string { return "session: stored document: " + e.err.Error() }
func (e *undecodableError) Unwrap() error { return e.err }

var errAbsolute = fmt.Errorf("%w: absolute timeout", store.ErrExpired)

// load reads the record under key, or the one that it was renewed to.
func (m *Manager[T]) load(ctx context.Context, key string) (loaded[T], error) {
	for range maxHops {
		rec, err := m.store.Load(ctx, key)
		if err != nil {
			return loaded[T]{}, err
		}
		doc, err := m.codec.decode(key, rec.Data)
		if err != nil {
			return loaded[T]{}, &undecodableError{err}
		}
		if doc.meta.Successor == "" {
			if m.over(doc.meta.Created, rec.Expires) {
				return loaded[T]{}, errAbsolute
			}
			return loaded[T]{rec, doc, key}, nil
		}
		// A touch by a request in flight may have moved the record's expiry: the
		// grace ends when the document says so.
		if m.present() >= doc.meta.Until {
			return loaded[T]{}, store.ErrExpired
		}
		key = doc.meta.Successor
	}
	return loaded[T]{}, store.ErrNotFound
}

// over reports whether the absolute timeout has ended a session. Each save and
// touch keeps the record's expiry within it, so that the clock need be asked only
// about records that another program, or another Config, has written.
func (c *core) over(created instant, expires time.Time) bool {
	end := c.end(created)
	if end == 0 || !expires.IsZero() && instantOf(expires) <= end {
		return false
	}
	return c.present() >= end
}

// adopt makes a record what s knows of the session. What this request has set and
// not saved stays.
func (s *Session[T]) adopt(at loaded[T]) {
	s.state, s.key, s.doc, s.version = stateStored, at.key, at.doc, at.rec.Version
	s.learn(&at)
	info := &at.doc.meta
	if !s.ownerMoved {
		s.owner = s.m.ownerIn(&at.rec, info)
	}
	s.created, s.used = info.Created, info.Used
	if s.created == 0 && s.m.absolute > 0 {
		s.created = s.m.present() // another program's: it is kept from the next save on
	}
}

// learn takes over from a record how long the session lives.
func (s *Session[T]) learn(at *loaded[T]) {
	s.deadline = instantOf(at.rec.Expires)
	if !s.settingsChanged {
		if s.m.keepCookie || at.doc.meta.OwnCookie {
			s.settings, s.lifetime = s.m.resolve(at.doc.cookie, s.secure), at.doc.lifetime
		}
		s.ownCookie = at.doc.meta.OwnCookie
	}
	if !s.touched && !s.settingsChanged {
		s.expires = s.deadline
	}
}
