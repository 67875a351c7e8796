package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nestsession/session/store"
)

// Info describes a session to those who list sessions: its user, an operator. It
// holds no id.
type Info struct {
	Owner string

	// Digest stands for the session, as in [Event]; [Session.Digest] tells which one
	// a request is in. It is safe to show to the owner and to send back.
	Digest string

	Created  time.Time // zero if not kept; see [Session.Created]
	LastUsed time.Time // as exactly as Config.TouchInterval asks; zero if not known
	Expires  time.Time // unless used before; zero: never

	key *string // of the record; a pointer, so that printing an Info does not show it
}

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

// OwnerOf reads whose session a stored document is, "" for nobody's or what is no
// document. Stores whose table or keys other programs write as well take it in their
// Config, since those programs keep the document's members and know no owner besides.
func OwnerOf(document []byte) string { return metaOf(document).Owner }

// maxPasses bounds how often RevokeOwner looks again for sessions that were being
// renewed while it worked.
const maxPasses = 8

// List yields the live sessions of an owner, or with owner "" all, in no particular
// order, without holding them all in memory (ASVS 7.5.2). An error is yielded last:
// the store's, which has Config.LoadTimeout to find each next session, or
// [errors.ErrUnsupported] if that is no [store.Lister].
func (m *Manager[T]) List(ctx context.Context, owner string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		l, ok := store.As[store.Lister](m.store)
		if !ok {
			yield(Info{}, fmt.Errorf("session: listing: %T does not list: %w", m.store, errors.ErrUnsupported))
			return
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		patience := time.AfterFunc(m.loadTimeout, func() { cancel(context.DeadlineExceeded) })
		defer patience.Stop()
		for rec, err := range l.List(ctx, owner) {
			patience.Stop() // what the caller does with it may take longer
			if cause := context.Cause(ctx); err != nil && cause != nil {
				err = fmt.Errorf("%w: %w", cause, err)
			}
			if err != nil {
				yield(Info{}, &storeError{fmt.Errorf("listing: %w", err)})
				return
			}
			info, live := m.describe(rec)
			// An index may name a session that has changed hands since.
			if live = live && (owner == "" || info.Owner == owner); live && !yield(info, nil) {
				return
			}
			patience.Reset(m.loadTimeout)
		}
	}
}

// describe reads a record for List. What points to a renewed session is none, and
// what another program wrote is listed as far as the record tells.
func (m *Manager[T]) describe(rec store.Record) (Info, bool) {
	info := Info{Owner: rec.Owner, Digest: m.digest(rec.ID), Expires: rec.Expires, key: &rec.ID}
	doc, err := m.codec.decode(rec.ID, rec.Data)
	if err != nil {
		return info, true
	}
	if doc.meta.Successor != "" {
		return info, false
	}
	var s Session[T]
	s.m = m
	s.settle(&m.cookie)
	s.adopt(loaded[T]{rec, doc, rec.ID})
	if m.over(doc.meta.Created, rec.Expires) {
		return info, false
	}
	if doc.meta.Created != 0 {
		info.Created = s.created.time()
	}
	info.Owner, info.LastUsed = s.owner, s.lastUsed().time()
	return info, true
}

// Revoke ends one session of a listing, wherever it is in use (ASVS 7.4.5). That it
// has ended already is no error.
func (m *Manager[T]) Revoke(ctx context.Context, info Info) error {
	if info.key == nil {
		return errors.New("session: Revoke takes an Info that List yielded")
	}
	d := within(ctx, m.saveTimeout)
	defer d.end()
	if _, err := m.remove(d, *info.key, 0, ErrRevoked); err != nil {
		return &storeError{fmt.Errorf("revoking: %w", err)}
	}
	m.emit(ctx, Event{Kind: EventRevoked, Owner: info.Owner}, *info.key)
	return nil
}

// RevokeOwner ends the sessions of an owner on every node, and returns how many:
// all of them when an account is disabled (ASVS 7.4.2), or all but keep, the
// request's own, when its password has changed (ASVS 7.4.3, GO-2026-5414). Sessions
// that are renewed at the same time are found; new logins are not waited for.
//
// Errors: the store's, [errors.ErrUnsupported] as with List. Some sessions may have
// been ended before it; calling it again ends the others.
func (m *Manager[T]) RevokeOwner(ctx context.Context, owner string, keep ...*Session[T]) (ended int, err error) {
	if owner == "" {
		return 0, errors.New("session: RevokeOwner needs an owner; to end all sessions, revoke what List yields for \"\"")
	}
	for range maxPasses {
		found := 0
		for info, err := range m.List(ctx, owner) {
			if err != nil {
				return ended, err
			}
			kept := false
			for _, s := range keep {
				if kept, err = s.leadsTo(ctx, *info.key); kept || err != nil {
					break
				}
			}
			if err != nil {
				return ended, err
			}
			if kept {
				continue
			}
			if err := m.Revoke(ctx, info); err != nil {
				return ended, err
			}
			found++
		}
		if ended += found; found == 0 {
			break
		}
	}
	return ended, nil
}

// leadsTo reports whether the record under key is the session's, which another
// request may have renewed since this one looked.
func (s *Session[T]) leadsTo(ctx context.Context, key string) (bool, error) {
	s.mu.Lock()
	at := s.key
	s.mu.Unlock()
	for range maxHops {
		if at == key || at == "" {
			return at == key, nil
		}
		d := within(ctx, s.m.loadTimeout)
		rec, err := s.m.store.Load(d, at)
		d.end()
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, &storeError{fmt.Errorf("revoking: %w", err)}
		}
		at = successor(rec.Data)
	}
	return false, nil
}
