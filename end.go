package session

import (
	"context"
	"fmt"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/records"
)

// Reload drops this request's unsaved changes and reads the session again from the store.
// It is for long-lived requests and WebSockets.
//
// Errors: [ErrRevoked] if the session has ended; [ErrNotSaved] if it was never stored; the
// store's and ctx's. After an error of the store or of ctx the session is as it was.
func (s *Session[T]) Reload(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := deadline.Within(s.m.exchanges.Lock(ctx), s.m.records.LoadTimeout)
	defer d.End()
	ctx = d
	s.catchUp()
	switch s.state {
	case stateNew:
		if !s.m.policy.reloadKeepsView() {
			return ErrNotSaved
		}
		if err := s.needID(); err != nil {
			return err
		}
	case stateStored:
	default:
		return ErrRevoked
	}
	if s.follows != nil || s.superseded {
		return ErrRevoked
	}
	at, err := s.m.load(ctx, s.key, s.doc.Opener(s.id))
	if records.IsOver(err) {
		if s.m.policy.reloadKeepsView() {
			return fmt.Errorf("%w: %w", ErrRevoked, err)
		}
		return s.revoked(ctx)
	}
	if err != nil {
		return records.Failed("loading", err)
	}
	s.moveWith(at)
	s.forget()
	s.settingsChanged, s.ownerMoved, s.touched = false, false, false
	s.useCookie(s.m.settings(s.r))
	s.adopt(at)
	return nil
}

// Destroy ends the session: the user logs out. It deletes the session's data, and no
// request in flight writes them back (CVE-2025-46336). If it is this request that ended the
// session, the response expires the browser's cookie. Afterwards the session has no data
// and ignores changes; [Session.Regenerate] begins a new one.
//
// An error is the store's. The delete is then tried again before the response is sent. If
// that fails too, the client gets the error response.
func (s *Session[T]) Destroy(ctx context.Context) error {
	d := s.enter(ctx)
	defer s.leave(d)
	ctx = d
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
	if s.follows != nil || s.state != stateStored && s.state != stateEnding && s.alias == "" {
		return nil
	}
	err := s.remove(ctx, Event{Kind: EventDestroyed, Owner: s.owner}, ErrDestroyed, s.key, s.alias)
	if err != nil {
		s.state = stateEnding
	}
	return err
}

// remove ends the session that is stored under the keys, and reports it if this request was
// the one that ended it.
func (s *Session[T]) remove(ctx context.Context, e Event, cause error, keys ...string) error {
	for _, key := range keys {
		if key == "" {
			continue
		}
		version := s.version
		if key != s.key {
			version = 0
		}
		ended, err := s.m.records.Remove(ctx, key, version, cause)
		if ended || err == nil && s.unsure {
			s.m.emit(ctx, e, key)
			s.ended, s.unsure = true, false
		}
		if err != nil {
			s.unsure = !ended && !records.Definite(err)
			err = records.Failed("ending", err)
			s.m.emit(ctx, Event{Kind: EventSaveFailed, Owner: s.owner, Err: err}, key)
			return err
		}
	}
	return nil
}

// Regenerate ends the session and begins an empty one under a new id, as in
// express-session. An id that an attacker planted before is useless afterwards (session
// fixation, CVE-2022-25896; ASVS 7.2.4). At a login use [Session.Login], which gives the
// same protection and keeps the visitor's data. Requests in flight under the old id no
// longer save anything. The new session is stored, and its cookie sent, when data are put
// into it.
//
// Errors: [ErrHeaderSent], after which the session is as it was; the store's and ctx's if
// the old session could not be ended. In that case the session is new nevertheless, and the
// old one is deleted before the response is sent. If that fails too, the client gets the
// error response.
func (s *Session[T]) Regenerate(ctx context.Context) error {
	d := s.enter(ctx)
	defer s.leave(d)
	if s.state == stateDiscarded {
		return ErrRevoked
	}
	return s.anew(d)
}

// anew ends the session, if there is one, and begins another.
func (s *Session[T]) anew(ctx context.Context) error {
	was := s.state
	stored := was == stateStored || was == stateEnding
	if s.headerSent && (!s.m.policy.storesEmptyRegenerated() || stored || s.cookieSent) {
		return ErrHeaderSent
	}
	var failed error
	if (stored || s.alias != "") && s.follows == nil {
		e := Event{Kind: EventRegenerated, Owner: s.owner}
		if failed = s.remove(ctx, e, ErrRegenerated, s.key, s.alias); failed != nil && s.m.policy.triesEndsAgain() {
			s.pendingDelete = &pendingDelete{e, []string{s.key, s.alias}}
		}
	}
	s.forget()
	s.id, s.key, s.alias, s.follows = "", "", "", nil
	s.superseded, s.loggedIn, s.tellGuard = false, false, false
	s.touched, s.settingsChanged, s.ownerMoved, s.saved = false, false, false, nil
	s.regenerated = true
	s.useCookie(s.m.settings(s.r))
	now := s.created // of a new session that nobody has used yet
	if was != stateNew || s.m.policy.storesEmptyRegenerated() {
		now = s.m.present()
	}
	s.begin(now)
	return failed
}
