package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// UpdateOwner applies fn to the data of each session of an owner on every node, except
// keep, and returns how many it changed: for example to take a role away. Later requests
// see the change, and requests in flight replay their own changes on it. It is not a use of
// the sessions: it creates none, revives none and extends none. It also finds sessions that
// are renewed or begin at the same time.
//
// fn is as in [Session.Update], and may be called several times. It should set values and
// not add to them, because a session that is renewed at the same moment may be changed
// twice.
//
// Errors: [ErrNoOwner]; [ErrUnrepeatable]; [ErrTooLarge]; [ErrReservedKey]; the store's;
// [errors.ErrUnsupported] as in List. If some sessions cannot be decoded, the error comes
// after all others are changed. After an error some sessions may have been changed; another
// call changes the others.
func (m *Manager[T]) UpdateOwner(ctx context.Context, owner string, fn func(data *T), keep ...*Session[T]) (changed int, err error) {
	var n, undecodable atomic.Int64
	v := visits[T]{m: m, owner: owner, keep: keep}
	one := revision[T]{m: m, owner: owner, fn: fn, claim: v.claim}
	v.do = func(ctx context.Context, l *listed[T]) error {
		if l.doc == nil {
			undecodable.Add(1)
			return nil
		}
		done, err := one.apply(ctx, l)
		if done {
			n.Add(1)
		}
		return err
	}
	err = v.all(ctx)
	if u := undecodable.Load(); err == nil && u > 0 {
		err = fmt.Errorf("session: updating: %d sessions of %q cannot be decoded and were not changed; end them with RevokeOwner", u, owner)
	}
	return int(n.Load()), err
}

// UpdateSession applies fn to the data of the owner's session with the given digest, as
// [Manager.UpdateOwner] does to all of the owner's sessions, and reports whether the data
// have changed. If the owner has no such session, it returns false and no error.
func (m *Manager[T]) UpdateSession(ctx context.Context, owner, digest string, fn func(data *T)) (changed bool, err error) {
	l, err := m.findOwned(ctx, owner, digest)
	if l == nil || err != nil {
		return false, err
	}
	if l.doc == nil {
		return false, fmt.Errorf("session: updating: the session %s cannot be decoded; end it with RevokeSession", digest)
	}
	one := revision[T]{m: m, owner: owner, fn: fn, claim: func(string) bool { return true }}
	return one.apply(ctx, l)
}

// revision is a change of sessions that is made outside their requests.
type revision[T any] struct {
	m     *Manager[T]
	owner string
	fn    func(*T)
	claim func(key string) bool // as in visits
	mu    sync.Mutex            // fn is called for one session at a time
}

// apply changes one session by compare-and-swap. It writes nothing if fn changes nothing.
// Otherwise it rewrites only the members that have changed: the cookie, the bookkeeping and
// the expiry stay as they are.
func (r *revision[T]) apply(ctx context.Context, l *listed[T]) (changed bool, err error) {
	d := deadline.Within(ctx, r.m.saveTimeout)
	defer d.End()
	for try := 0; ; try++ {
		data, err := r.outcome(l.doc)
		if data == nil || err != nil {
			return false, err
		}
		next := l.rec
		next.Data = data
		_, err = r.m.store.Update(d, next)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, store.ErrNotFound):
			return false, nil // it has ended
		case errors.Is(err, store.ErrConflict) && try < maxConflicts:
			err = pauseBeforeRetry(d, try)
		}
		if err != nil {
			return false, &storeError{fmt.Errorf("updating: %w", err)}
		}
		was := l.key
		if l, err = r.m.follow(d, was); err != nil {
			return false, err
		}
		if l == nil || l.owner != r.owner || l.key != was && !r.claim(l.key) {
			return false, nil
		}
		if l.doc == nil {
			return false, fmt.Errorf("session: updating: the data that another program has stored in the meantime cannot be decoded")
		}
	}
}

// outcome returns the document after fn was applied; nil if fn changes nothing.
func (r *revision[T]) outcome(doc *document.Document[T]) ([]byte, error) {
	c := &r.m.codec
	was, err := c.Encoding(doc)
	if err != nil {
		return nil, err
	}
	body, err := r.run(doc)
	if err != nil || bytes.Equal(was, body) {
		return nil, err
	}
	again, err := r.run(doc)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(body, again) {
		return nil, ErrUnrepeatable
	}
	data, err := c.Rewrite(doc, body)
	if err == nil && len(data) > r.m.maxBytes {
		err = fmt.Errorf("%w: %d bytes of %d", ErrTooLarge, len(data), r.m.maxBytes)
	}
	return data, err
}

// run applies fn to a copy of the document's data and encodes the result.
func (r *revision[T]) run(doc *document.Document[T]) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var value T
	if err := r.m.codec.Copy(doc, &value); err != nil {
		return nil, err
	}
	r.fn(&value)
	body, err := r.m.codec.Encode(&value)
	if err == nil {
		err = r.m.codec.Normalize(&value, body)
	}
	return body, err
}
