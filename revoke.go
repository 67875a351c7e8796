package session

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/store"
)

// Revoke ends a session from List or ListAll, on every node (ASVS 7.4.5). It is for
// operators; for a user's own sessions use [Manager.RevokeSession]. It returns no error if
// the session has already ended.
func (m *Manager[T]) Revoke(ctx context.Context, info Info[T]) error {
	if info.key == "" {
		return errors.New("session: Revoke takes an Info that List or ListAll yielded")
	}
	_, err := m.revoke(ctx, info.key, info.version, info.Owner)
	return err
}

// RevokeSession ends the owner's session with the given digest, and reports whether it did.
// It is for a page on which users remove their devices (ASVS 7.5.2). The digest may come
// from the client: no session of another owner ends. If the owner has no such session, or
// it has already ended, RevokeSession returns false and no error. The digest that a session
// had before it was renewed works for as long as its old id does.
//
// Errors: [ErrNoOwner]; the store's; [errors.ErrUnsupported] as in List.
func (m *Manager[T]) RevokeSession(ctx context.Context, owner, digest string) (ended bool, err error) {
	l, err := m.findOwned(ctx, owner, digest)
	if l == nil || err != nil {
		return false, err
	}
	return m.revoke(ctx, l.key, l.rec.Version, owner)
}

// RevokeOwner ends all sessions of an owner on every node, except keep, and returns how
// many it ended. Call it without keep when an account is disabled (ASVS 7.4.2), and with
// the request's own session when the user has changed the password (ASVS 7.4.3,
// GO-2026-5414). It also finds sessions that are renewed at the same time. It does not wait
// for new logins.
//
// Errors: [ErrNoOwner]; the store's; [errors.ErrUnsupported] as in List. After an error
// some sessions may have ended; another call ends the others.
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
