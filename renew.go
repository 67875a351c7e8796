package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/internal/jitter"
	"github.com/nestsession/session/store"
)

// Renew gives the session a new id and keeps its data: at a change of privilege,
// and from time to time. What this request has changed is saved with it. The old
// id answers for Config.RenewGrace more, so that requests in flight go on as the
// same session, their updates included, and is then dead. A session that another
// request has renewed within the grace stays as it is.
//
// Errors: [ErrRevoked], [ErrHeaderSent], those of [Session.Save].
func (s *Session[T]) Renew(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.asked(ctx)
	defer d.end()
	ctx = d
	s.catchUp()
	if s.headerSent {
		return ErrHeaderSent
	}
	switch s.state {
	case stateNew:
		s.id, s.key = "", "" // nobody has it yet
		return nil
	case stateStored:
	default:
		return ErrRevoked
	}
	if s.alias != "" {
		return nil // found through an old id: renewed a moment ago
	}
	err := s.renew(ctx)
	if err != nil {
		s.reportSave(ctx, err)
	}
	return err
}

// maxPoints bounds how often a renewal is tried whose outcome is not known.
const maxPoints = 5

// linger is for how many milliseconds a pointer is kept after the grace. It answers
// nobody then, but a request that was in flight all the while and ends the session
// still finds where that went.
const linger = 60_000

// renew stores the session under a new key, and then swaps the old record for a
// pointer to it. In this order a crash costs nobody the session, and whoever saves
// to the old record meanwhile makes the swap fail, so that nothing is lost.
func (s *Session[T]) renew(ctx context.Context) error {
	if s.settings.Secure == SecureAlways && !s.secure {
		return ErrInsecure
	}
	id, err := s.m.newID(s.r)
	if err != nil {
		return err
	}
	s.m.renews.Store(true)
	old := s.key
	next := store.Record{ID: s.m.key(id)}
	for try := 0; ; try++ {
		value, body, err := s.replay()
		if err == nil {
			err = s.renewTo(ctx, value, body, old, &next, id)
		}
		if err == nil {
			return nil
		}
		switch {
		case next.Version == 0 && !errors.Is(err, store.ErrExists): // nobody knows whether it was created
			s.undoRenew(ctx, next.ID)
		case next.Version != 0 && definite(err) && (!errors.Is(err, store.ErrConflict) || try == maxConflicts):
			// Otherwise the old record may point to the new one already.
			s.undoRenew(ctx, next.ID)
		}
		switch {
		case errors.Is(err, store.ErrNotFound):
			return s.revoked(ctx)
		case !errors.Is(err, store.ErrConflict), try == maxConflicts:
			return err
		}
		s.m.emit(ctx, Event{Kind: EventConflict, Owner: s.owner}, s.key)
		if err = backoff(ctx, try); err == nil {
			err = s.reload(ctx)
		}
		if err != nil || s.alias != "" {
			s.undoRenew(ctx, next.ID)
			return err // or another request has renewed it: that will do
		}
	}
}

// renewTo makes one attempt at it.
func (s *Session[T]) renewTo(ctx context.Context, value *T, body []byte, old string, next *store.Record, id string) error {
	s.now, s.keepExpiry = s.m.present(), false
	doc, rec, err := s.compose(value, body)
	if err != nil {
		return err
	}
	until := s.now + instant(max(s.m.grace, 0)/time.Millisecond)
	pointer := store.Record{ID: old, Owner: s.owner, Version: s.version, Expires: (until + linger).time()}
	rec.ID, rec.Version, doc.key = next.ID, next.Version, next.ID
	write := s.m.store.Update
	if next.Version == 0 {
		write = s.m.store.Create
	}
	version, err := write(ctx, rec)
	if err != nil {
		return &storeError{fmt.Errorf("renewing: %w", err)}
	}
	next.Version = version
	data := appendCookie([]byte(`{"`+cookieKey+`":`), s.settings, s.lifetime, until)
	info := meta{Owner: s.owner, Successor: next.ID, Until: until} // the owner's, so that visits find it
	pointer.Data = append(info.append(data), '}')
	if err = s.point(ctx, pointer, next.ID); err != nil {
		return &storeError{fmt.Errorf("renewing: %w", err)}
	}
	s.keep(doc, next.Version, rec.Expires)
	s.setID(id)
	s.m.hub.Move(old, next.ID)
	s.m.emit(ctx, Event{Kind: EventRenewed, Owner: s.owner}, s.key)
	return nil
}

// point swaps the old record for the pointer. If nobody knows whether that was done it
// is tried again: the client must not be left with the old id alone, which ends with
// the grace.
func (s *Session[T]) point(ctx context.Context, pointer store.Record, successorKey string) error {
	for try := 0; ; try++ {
		_, err := s.m.store.Update(ctx, pointer)
		if try > 0 && errors.Is(err, store.ErrConflict) {
			rec, failed := s.m.store.Load(ctx, pointer.ID)
			if failed == nil && successor(rec.Data) == successorKey {
				return nil // an earlier try did it
			}
			if failed != nil {
				err = failed
			}
		}
		if err == nil || definite(err) || try == maxPoints || !jitter.Pause(ctx, jitter.Backoff(try)) {
			return err
		}
	}
}

// definite reports whether a failed write is known not to have happened.
func definite(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrFull)
}

// undoRenew removes the new record again. Nobody has its id: if this fails it
// expires unused.
func (s *Session[T]) undoRenew(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.m.saveTimeout)
	defer cancel()
	if err := s.m.store.Delete(ctx, key); err != nil {
		s.m.emit(ctx, Event{Kind: EventSaveFailed, Owner: s.owner, Err: &storeError{err}}, key)
	}
}
