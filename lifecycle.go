package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/nestsession/session/store"
)

// Reload forgets what this request has changed and not saved, and reads the session
// anew: in long-lived requests and WebSockets.
//
// Errors: [ErrRevoked] if the session has ended, [ErrNotSaved] if it was never
// stored, the store's, ctx's. After the last two the session is as it was.
func (s *Session[T]) Reload(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := within(quietContext{ctx, &s.m.core}, s.m.loadTimeout)
	defer d.end()
	ctx = d
	s.catchUp()
	switch s.state {
	case stateNew:
		if !s.m.express {
			return ErrNotSaved
		}
		if err := s.needID(); err != nil {
			return err
		}
	case stateStored:
	default:
		return ErrRevoked
	}
	at, err := s.m.load(ctx, s.key)
	if errors.Is(err, store.ErrNotFound) {
		if s.m.express {
			return fmt.Errorf("%w: %w", ErrRevoked, err)
		}
		return s.revoked(ctx)
	}
	if err != nil {
		return &storeError{fmt.Errorf("loading: %w", err)}
	}
	if at.key != s.key {
		s.alias = s.key
	}
	s.forget()
	s.settingsChanged, s.ownerMoved, s.touched = false, false, false
	s.settle(s.m.settings(s.r))
	s.adopt(at)
	return nil
}

// Destroy ends the session for good: logout. The record is deleted, no request in
// flight brings it back (CVE-2025-46336), and the browser's cookie is expired with
// this response. Afterwards the session has no data and takes no changes;
// [Session.Regenerate] begins a new one.
//
// An error is the store's; then the delete is tried again before the response
// leaves, and if that fails too the client gets the error response.
func (s *Session[T]) Destroy(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.asked(ctx)
	defer d.end()
	ctx = d
	s.catchUp()
	if s.state == stateDiscarded {
		s.state = s.was
	}
	if err := s.end(ctx); err != nil {
		return err
	}
	s.finish()
	return nil
}

// end deletes the records of the session, if it has any.
func (s *Session[T]) end(ctx context.Context) error {
	if s.state != stateStored && s.state != stateEnding && s.alias == "" {
		return nil
	}
	if err := s.remove(ctx, ErrDestroyed); err != nil {
		s.state = stateEnding
		return err
	}
	s.m.emit(ctx, Event{Kind: EventDestroyed, Owner: s.owner}, s.key)
	return nil
}

func (s *Session[T]) remove(ctx context.Context, cause error) error {
	err := s.m.remove(ctx, s.key, s.version, cause)
	if err == nil && s.alias != "" {
		err = s.m.store.Delete(ctx, s.alias)
	}
	if err != nil {
		err = &storeError{fmt.Errorf("deleting: %w", err)}
		s.m.emit(ctx, Event{Kind: EventSaveFailed, Owner: s.owner, Err: err}, s.key)
	}
	return err
}

// Regenerate ends the session and begins an empty one under a new id: at login, so
// that an id that somebody planted before is worth nothing (session fixation,
// CVE-2022-25896; ASVS 7.2.4). The old record is deleted at once; requests in
// flight under the old id save nothing any more. The new session is stored, and its
// cookie sent, when something is put into it.
//
// Errors: [ErrHeaderSent], with the session as it was; the store's and ctx's if the
// old record could not be deleted: the session is a new one all the same, the delete
// is tried again before the response leaves, and if that fails too the client gets
// the error response.
func (s *Session[T]) Regenerate(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.asked(ctx)
	defer d.end()
	ctx = d
	s.catchUp()
	was, owner, old := s.state, s.owner, s.key
	if was == stateDiscarded {
		return ErrRevoked
	}
	stored := was == stateStored || was == stateEnding
	if s.headerSent {
		return ErrHeaderSent
	}
	var failed error
	if stored || s.alias != "" {
		if failed = s.remove(ctx, ErrRegenerated); failed != nil && !s.m.express {
			s.doomed = append(s.doomed, s.key, s.alias)
		}
	}
	s.forget()
	s.id, s.key, s.alias = "", "", ""
	s.touched, s.settingsChanged, s.ownerMoved, s.saved = false, false, false, nil
	s.regenerated = true
	s.settle(s.m.settings(s.r))
	now := s.created // of a new session that nobody has used yet
	if was != stateNew || s.m.express {
		now = s.m.present()
	}
	s.begin(now)
	if stored && failed == nil {
		s.m.emit(ctx, Event{Kind: EventRegenerated, Owner: owner}, old)
	}
	return failed
}
