package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/nestsession/session/store"
)

// reload looks at the store again. The functions recorded stay; the view goes. A
// [supersededError] is that of a login which has taken over the session's data.
func (s *Session[T]) reload(ctx context.Context) error {
	err := s.lookAgain(ctx)
	if superseded := (*supersededError)(nil); errors.As(err, &superseded) && superseded.carry {
		return err
	}
	if isOver(err) {
		return s.revoked(ctx)
	}
	if err != nil {
		return &storeError{fmt.Errorf("loading: %w", err)}
	}
	return nil
}

// lookAgain is reload, with the error of [Manager.load].
func (s *Session[T]) lookAgain(ctx context.Context) error {
	at, err := s.m.load(ctx, s.key, s.id)
	if err != nil {
		return err
	}
	s.moveWith(at)
	s.unview()
	s.adopt(at)
	return nil
}

// moveWith takes note of where the session was found.
func (s *Session[T]) moveWith(at loaded[T]) {
	if at.key == s.key {
		return
	}
	s.alias = s.key
	if at.id != "" {
		s.id = at.id
	}
}

// isOver reports whether an error of [Manager.load] says that the session has ended.
func isOver(err error) bool {
	superseded := (*supersededError)(nil)
	return errors.Is(err, store.ErrNotFound) || errors.As(err, &superseded)
}

// saveFollower saves what was changed since the session was found to be superseded.
func (s *Session[T]) saveFollower(ctx context.Context) error {
	if len(s.updates) == 0 {
		return nil
	}
	return s.follow(ctx, s.follows)
}

// follow makes the changes of this request in the session that a login has put in the
// place of its own meanwhile: the cart that a visitor was filling is his after the login
// too. Nothing of that session is seen here, since the id that this request came with
// may be known to others.
func (s *Session[T]) follow(ctx context.Context, key string) error {
	if s.ownerMoved || s.settingsChanged {
		s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonSuperseded}, s.key)
		s.ownerMoved, s.settingsChanged = false, false
	}
	for range maxHops {
		t := &Session[T]{m: s.m, r: s.r}
		t.secure, t.now = s.secure, s.m.present()
		for _, fn := range s.updates {
			t.updates = append(t.updates, func(data *T) { s.apply(fn, data) })
		}
		t.settle(s.m.settings(s.r))
		at, err := s.m.load(ctx, key, "")
		if superseded := (*supersededError)(nil); errors.As(err, &superseded) && superseded.carry {
			key = superseded.successor // logged in once more
			continue
		}
		if isOver(err) {
			break
		}
		if err != nil {
			return &storeError{fmt.Errorf("loading: %w", err)}
		}
		t.adopt(at)
		value, body, err := t.replay()
		if err == nil {
			err = s.mu.Misuse
		}
		if err == nil {
			err = t.swap(ctx, value, body)
		}
		if errors.Is(err, ErrRevoked) { // reported there
			s.finish()
		}
		if err == nil {
			s.follows, s.touched = key, false
			s.few, s.updates = [2]func(*T){}, nil
		}
		return err
	}
	return s.revoked(ctx)
}
