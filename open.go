package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/jar"
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
	if settings.path() != "/" && !settings.covers(jar.RequestPath(r)) {
		return ErrOutsidePath
	}
	s.m, s.r, s.secure = m, r, m.secure(r)
	s.settle(settings)
	s.opening.Timeout, s.opening.Parent, s.opening.Follows = m.loadTimeout, ctx, true
	sent, at, err := m.identify(&s.opening, s)
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
		return nil
	}
	if superseded := (*supersededError)(nil); errors.As(err, &superseded) && !superseded.past {
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
	if undecodable := (*undecodableError)(nil); errors.As(err, &undecodable) {
		m.emit(ctx, Event{Kind: EventRejected, Reason: ReasonUndecodable, Err: err}, sent.Key)
		s.begin(m.present())
		if m.policy.ownsRecords() {
			s.alias = sent.Key // Destroy, Regenerate and Login remove it; a program beside us may read it
		}
		return nil
	}
	err = &storeError{fmt.Errorf("loading: %w", err)}
	if ctx.Err() == nil { // else the client left, which is nobody's fault
		m.emit(ctx, Event{Kind: EventLoadFailed, Err: err}, sent.Key)
	}
	return err
}

// endExpired tells of a session that has expired, once: its record goes, so that the
// cookie's next visit finds none. It makes room at once for a new session, so that it
// leaves nothing behind, as the other ends do.
func (m *Manager[T]) endExpired(ctx context.Context, key string, at loaded[T], err error) {
	if !errors.Is(err, errAbsolute) {
		m.emit(ctx, Event{Kind: EventExpired, Reason: ReasonIdle}, key)
		if m.policy.ownsRecords() {
			_ = m.store.Delete(ctx, key) // else the store does it, sooner or later
		}
		return
	}
	ended, _ := m.remove(ctx, at.key, at.rec.Version, ErrExpired) // if it fails, the next visit tries again
	if ended {
		m.emit(ctx, Event{Kind: EventExpired, Owner: at.doc.Meta.Owner, Reason: ReasonAbsolute}, at.key)
	}
}

// begin makes s a new session.
func (s *Session[T]) begin(now document.Instant) {
	s.state, s.doc, s.origin = stateNew, s.m.codec.Empty, s.m.codec.Empty
	s.created, s.used = now, now
	s.owner, s.storedOwner, s.authenticated, s.ownCookie = "", "", 0, false
	s.version, s.deadline = 0, 0
	s.expires = s.expiry(now)
}

// loaded is a record, decoded, the key under which it was found, and the session's id:
// "" if that is not known to who looked.
type loaded[T any] struct {
	rec store.Record
	doc *document.Document[T]
	key string
	id  string
}

// undecodableError says that a record is there and its data make no sense to us.
type undecodableError struct{ err error }

func (e *undecodableError) Error() string { return "session: stored document: " + e.err.Error() }
func (e *undecodableError) Unwrap() error { return e.err }

// supersededError says that another request has ended the session a moment ago, or has
// put a login's in its place.
type supersededError struct {
	successor string // of a login: the key of the new session
	carry     bool   // which has the data of the old one
	past      bool   // that was so long ago that the id is like any other that is not known
}

func (e *supersededError) Error() string { return "session: superseded by another request" }

var (
	errAbsolute    = fmt.Errorf("%w: absolute timeout", store.ErrExpired)
	errOtherRecord = errors.New("the store answered another record than the one asked for")
)

// load reads the record under key, or the one that it was renewed to. id is the
// session's id where the caller knows it.
//
// Errors besides the store's: [undecodableError], [supersededError], errAbsolute with
// the record.
func (m *Manager[T]) load(ctx context.Context, key, id string) (loaded[T], error) {
	for hop := range maxHops {
		rec, err := m.loadRecord(ctx, key)
		if err != nil {
			m.dropCached(key)
			return loaded[T]{}, m.expired(rec, err)
		}
		doc, err := m.codec.Decode(rec.ID, rec.Data)
		if err != nil {
			return loaded[T]{}, &undecodableError{err}
		}
		info := &doc.Meta
		if info.Ended || info.Login {
			return loaded[T]{}, &supersededError{info.Successor, info.Carry, m.past(info, rec.Expires)}
		}
		if hop > 0 && !m.answers(info, 0) {
			return loaded[T]{}, &supersededError{past: !m.answers(info, linger)}
		}
		switch {
		case info.Successor == "":
			found := loaded[T]{rec, doc, key, id}
			if m.over(info.Created) {
				return found, errAbsolute
			}
			return found, nil
		case m.present() >= info.Until:
			return loaded[T]{}, &supersededError{past: true}
		}
		key, id = info.Successor, m.successorID(id, info)
	}
	return loaded[T]{}, store.ErrNotFound
}

// expired is the error of a load, which says that a session has expired only if it was a
// session: the end of what is left of one that was ended, or renewed, is no news.
func (c *core) expired(rec store.Record, err error) error {
	if errors.Is(err, store.ErrExpired) && rec.ID != "" {
		if info := c.seal.MetaOf(rec.ID, rec.Data); info.Ended || info.Successor != "" {
			return store.ErrNotFound
		}
	}
	return err
}

// loadRecord reads the record under key, or the link that Login and Renew have left in
// its place (see [core.supersede]).
func (c *core) loadRecord(ctx context.Context, key string) (store.Record, error) {
	rec, err := c.store.Load(ctx, key)
	if !c.policy.leavesTombstones() && errors.Is(err, store.ErrNotFound) {
		link, failed := c.store.Load(ctx, linkKey(key))
		if errors.Is(failed, store.ErrNotFound) {
			return rec, err
		}
		key, rec, err = linkKey(key), link, failed
	}
	if err == nil && rec.ID != key {
		err = errOtherRecord
	}
	return rec, err
}

// gone reports whether nothing is left of the record under key, of which the store has
// just said that it is not there.
func (c *core) gone(ctx context.Context, key string) bool {
	if c.policy.leavesTombstones() {
		return true
	}
	_, err := c.store.Load(ctx, linkKey(key))
	return errors.Is(err, store.ErrNotFound)
}

// past reports whether what ended a session no longer counts: then its id is one that
// nobody knows. A touch by a request in flight may have moved the record's expiry.
func (c *core) past(info *document.Meta, expires time.Time) bool {
	now := c.present()
	return info.Until != 0 && now >= info.Until || info.Until == 0 && document.InstantOf(expires) > now+c.graceEnd(linger)
}

// answers reports whether the id that a session had before Renew still leads to it: as
// long as no request has come with the new one, since the client may not have got that,
// and for the grace after that.
func (c *core) answers(info *document.Meta, more document.Instant) bool {
	return info.Unseen && c.grace > 0 || info.Seen != 0 && c.present() < info.Seen+c.graceEnd(more)
}

// graceEnd is how much later than now the grace ends, and more.
func (c *core) graceEnd(more document.Instant) document.Instant {
	return document.Instant(max(c.grace, 0)/time.Millisecond) + more
}

// over reports whether the absolute timeout has ended a session. The store keeps the
// record a while longer, or as long as another program or another Config has said.
func (c *core) over(created document.Instant) bool {
	end := c.end(created)
	return end != 0 && c.present() >= end
}

// adopt makes a record what s knows of the session. What this request has set and
// not saved stays.
func (s *Session[T]) adopt(at loaded[T]) {
	s.state, s.key, s.doc, s.version = stateStored, at.key, at.doc, at.rec.Version
	info := &at.doc.Meta
	s.storedOwner = s.m.ownerOf(&at.rec, info)
	if !s.ownerMoved {
		s.owner = s.storedOwner
	}
	s.created, s.used, s.authenticated = info.Created, info.Used, info.Authenticated
	if s.created == 0 && s.m.absolute > 0 {
		s.created = s.m.present() // another program's: it is kept from the next save on
	}
	s.learn(&at)
}

// ownerOf is whose session a record is. Where other programs write records the store may
// have read the owner out of their data, as the application told it to (Config.OwnerOf
// of the stores); elsewhere only the sealed bookkeeping counts.
func (c *core) ownerOf(rec *store.Record, info *document.Meta) string {
	if info.Owner == "" && !c.policy.ownsRecords() && !info.Forged {
		return rec.Owner
	}
	return info.Owner
}

// learn takes over from a record how long the session lives.
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
