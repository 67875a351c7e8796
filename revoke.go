package session

import (
	"context"
	"errors"
)

// Revoke ends a session from List or ListAll, on every node (ASVS 7.4.5). It is for
// operators; for a user's own sessions use [Manager.RevokeSession]. It returns no error if
// the session has already ended.
func (m *Manager[T]) Revoke(ctx context.Context, info Info[T]) error {
	if info.key == "" {
		return errors.New("session: Revoke takes an Info that List or ListAll yielded")
	}
	_, err := m.records.Revoke(ctx, info.key, info.version, info.Owner)
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
	return m.records.RevokeOne(ctx, owner, digest)
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
	return m.records.RevokeOwner(ctx, owner, held(keep))
}
