package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// Store is a memstore that records each call in the form in which express-session
// would have made it. Calls fail while the scenario has a fault for them.
//
// Like the stores of express-session, it replaces the whole document in a write, and
// the last write wins. So an update of an older version is no conflict here, and a
// record that has expired during the request is written again. (The library's own
// tests cover conflicts and expired records.) It never creates a record that was
// removed. A write that does not change the data, which express-session would have
// made as a touch, does conflict, so that it cannot undo another write.
type Store struct {
	w       *World
	label   string
	touches bool
	inner   *memstore.Store

	mu           sync.Mutex
	disconnected bool
	reread       map[string]bool // records that will be loaded again because of a conflict
}

func newStore(w *World, label string, touches bool) *Store {
	return &Store{
		w: w, label: label, touches: touches, reread: map[string]bool{},
		inner: memstore.New(memstore.Config{Now: w.Now, SweepInterval: -1}),
	}
}

func (s *Store) close() { _ = s.inner.Close() }

func (s *Store) connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.disconnected
}

func (s *Store) setConnected(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disconnected = !on
}

// note records a call for the request that made it.
func (s *Store) note(call, id, outcome string) {
	if r := s.w.current(); r != nil {
		r.note(Call{Store: s.label, Kind: call, ID: id, Outcome: outcome})
	}
}

// Load implements [store.Store].
func (s *Store) Load(ctx context.Context, id string) (store.Record, error) {
	if IsOwn(id) {
		return s.inner.Load(ctx, id)
	}
	s.mu.Lock()
	quiet := s.reread[id]
	delete(s.reread, id)
	s.mu.Unlock()
	if quiet {
		rec, err := s.inner.Load(ctx, id)
		if r := s.w.current(); r != nil && err == nil {
			r.merged(id, rec.Data)
		}
		return rec, err
	}
	if err := s.w.failing("get"); err != nil {
		s.note("get", id, "error")
		return store.Record{}, err
	}
	rec, err := s.inner.Load(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.note("get", id, "miss")
	case err != nil:
		s.note("get", id, "error")
	default:
		s.note("get", id, "hit")
		if r := s.w.current(); r != nil {
			r.found(id, rec.Data)
		}
	}
	return rec, err
}

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, rec store.Record) (store.Version, error) {
	if IsOwn(rec.ID) {
		return s.inner.Create(ctx, rec)
	}
	if err := s.w.failing("set"); err != nil {
		s.note("set", rec.ID, "error")
		return 0, err
	}
	v, err := s.inner.Create(ctx, rec)
	switch {
	case errors.Is(err, store.ErrExists):
		s.note("set", rec.ID, "taken")
		s.w.isTaken()
	case err != nil:
		s.note("set", rec.ID, "error")
	default:
		s.note("set", rec.ID, "")
		s.wrote(rec)
	}
	return v, err
}

// Update implements [store.Store], but for conflicts: see [Store].
func (s *Store) Update(ctx context.Context, rec store.Record) (store.Version, error) {
	if IsOwn(rec.ID) {
		return s.inner.Update(ctx, rec)
	}
	if IsTombstone(rec) {
		return s.bury(ctx, rec)
	}
	call := "set"
	if r := s.w.current(); r != nil && r.leavesDataAlone(rec) {
		call = "touch"
	}
	if call == "touch" && !s.touches {
		return s.notTouched(ctx, rec)
	}
	if err := s.w.failing(call); err != nil {
		s.note(call, rec.ID, "error")
		return 0, err
	}
	kept, err := s.inner.Load(ctx, rec.ID)
	if err == nil && call == "touch" && kept.Version != rec.Version {
		s.mu.Lock()
		s.reread[rec.ID] = true
		s.mu.Unlock()
		return 0, store.ErrConflict
	}
	var v store.Version
	switch {
	case err == nil:
		rec.Version = kept.Version
		v, err = s.inner.Update(ctx, rec)
	case errors.Is(err, store.ErrExpired) && call == "set":
		v, err = s.inner.Create(ctx, rec)
	}
	switch {
	case errors.Is(err, store.ErrNotFound) && call == "set":
		s.note(call, rec.ID, "gone")
	case err != nil && !errors.Is(err, store.ErrNotFound):
		s.note(call, rec.ID, "error")
	default:
		s.note(call, rec.ID, "") // a touch of a removed record counts as a touch
		if call == "set" {
			s.wrote(rec)
		}
	}
	return v, err
}

// bury replaces a record with a tombstone, whatever its version. It is the first half of
// a removal, and fails when removals are to fail.
func (s *Store) bury(ctx context.Context, rec store.Record) (store.Version, error) {
	if err := s.w.failing("destroy"); err != nil {
		s.note("destroy", rec.ID, "error")
		return 0, err
	}
	kept, err := s.inner.Load(ctx, rec.ID)
	if err != nil {
		return 0, err
	}
	rec.Version = kept.Version
	return s.inner.Update(ctx, rec)
}

// notTouched is a touch in a store that cannot touch: it changes nothing.
func (s *Store) notTouched(ctx context.Context, rec store.Record) (store.Version, error) {
	kept, err := s.inner.Load(ctx, rec.ID)
	return kept.Version, err
}

func (s *Store) wrote(rec store.Record) {
	if r := s.w.current(); r != nil {
		r.wrote(rec)
	}
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, id string, expires time.Time) error {
	if IsOwn(id) {
		return s.inner.Touch(ctx, id, expires)
	}
	if !s.touches {
		return nil
	}
	if err := s.w.failing("touch"); err != nil {
		s.note("touch", id, "error")
		return err
	}
	err := s.inner.Touch(ctx, id, expires)
	outcome := ""
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		outcome = "error"
	}
	s.note("touch", id, outcome)
	return err
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	if IsOwn(id) {
		return s.inner.Delete(ctx, id)
	}
	if err := s.w.failing("destroy"); err != nil {
		s.note("destroy", id, "error")
		return err
	}
	err := s.inner.Delete(ctx, id)
	outcome := ""
	if err != nil {
		outcome = "error"
	}
	s.note("destroy", id, outcome)
	return err
}
