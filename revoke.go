package session

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/store"
)

// Revoke ends one session of a listing, wherever it is in use (ASVS 7.4.5): for
// operators; a user's own is ended by [Manager.RevokeSession]. That it has ended
// already is no error.
func (m *Manager[T]) Revoke(ctx context.Context, info Info[T]) error {
	if info.key == "" {
		return errors.New("session: Revoke takes an Info that List or ListAll yielded")
	}
	_, err := m.revoke(ctx, info.key, info.version, info.Owner)
	return err
}

// RevokeSession ends the session of the owner for which the digest stands, and reports
// whether it did: a device that the user takes off the list (ASVS 7.5.2). Whatever
// digest a client sends, no session ends that is not the owner's: then, and where it has
// ended already, it returns false and no error. The digest that a session had before it
// was renewed names it for as long as its old id answers.
//
// Errors: [ErrNoOwner], the store's, [errors.ErrUnsupported] as with List.
func (m *Manager[T]) RevokeSession(ctx context.Context, owner, digest string) (ended bool, err error) {
	l, err := m.findOwned(ctx, owner, digest)
	if l == nil || err != nil {
		return false, err
	}
	return m.revoke(ctx, l.key, l.rec.Version, owner)
}

// RevokeOwner ends the sessions of an owner on every node, and returns how many it
// has ended: all of them when an account is disabled (ASVS 7.4.2), or all but keep,
// the request's own, when its password has changed (ASVS 7.4.3, GO-2026-5414). Sessions
// that are renewed at the same time are found; new logins are not waited for.
//
// Errors: [ErrNoOwner], the store's, [errors.ErrUnsupported] as with List. Some
// sessions may have been ended before it; calling it again ends the others.
func (m *Manager[T]) RevokeOwner(ctx context.Context, owner string, keep ...*Session[T]) (ended int, err error) {
	var n atomic.Int64
	v := visits[T]{m: m, owner: owner, keep: keep, again: 100}
	v.do = func(ctx context.Context, l *listed[T]) error {
		done, err := m.revoke(ctx, l.key, l.rec.Version, owner)
		if done {
			n.Add(1)
		}
		return err
	}
	err = v.all(ctx)
	return int(n.Load()), err
}

// revoke ends the session under key, and reports whether it was this call that did.
func (m *Manager[T]) revoke(ctx context.Context, key string, version store.Version, owner string) (ended bool, err error) {
	d := deadline.Within(ctx, m.saveTimeout)
	defer d.End()
	ended, err = m.remove(d, key, version, ErrRevoked)
	if ended {
		m.emit(ctx, Event{Kind: EventRevoked, Owner: owner}, key)
	}
	if err != nil {
		err = &storeError{fmt.Errorf("revoking: %w", err)}
	}
	return ended, err
}
