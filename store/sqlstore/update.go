package sqlstore

import (
	"bytes"
	"context"

	"github.com/nestsession/session/internal/batch"
	"github.com/nestsession/session/store"
)

// Update implements [store.Store]. It is one statement with PostgreSQL and MySQL if
// the version is still kept; with SQLite it is a read and a write, which fails if
// anything has changed between the two.
func (s *Store) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	if s.limits.id(r.ID) != nil {
		return 0, store.ErrNotFound
	}
	if err := s.check(r); err != nil {
		return 0, err
	}
	update := s.updateUnbatched
	if s.updates != nil && r.Version != 0 && len(r.Data) <= maxBatchedData {
		update = s.updateBatched
	}
	v, err := update(ctx, r)
	return v, s.failed(ctx, "update", r.ID, err)
}

func (s *Store) updateUnbatched(ctx context.Context, r store.Record) (v store.Version, err error) {
	err = s.write(ctx, func() (err error) {
		v, err = s.update(ctx, r)
		return err
	})
	return v, err
}

func (s *Store) update(ctx context.Context, r store.Record) (store.Version, error) {
	for range maxTries {
		v, _ := s.values(r)
		version, err := s.updateOnce(ctx, s.config.DB, r, &v)
		if version != 0 || err != nil {
			return version, err
		}
		is, err := s.loadOnce(ctx, r.ID)
		if err != nil {
			return 0, err
		}
		if is.Version != r.Version {
			return 0, store.ErrConflict
		}
		next := digestOf(r.Data, r.Owner, s.def.writesOwner())
		if s.def.traits.countsChanged && next == r.Version && s.keeps(is.Expires, v[pExpires]) {
			return next, nil // the row is already as it should be
		}
	}
	return 0, store.ErrConflict
}

// updateOnce returns the new version, or 0 if the row is gone or has another version.
func (s *Store) updateOnce(ctx context.Context, db queryer, r store.Record, v *values) (store.Version, error) {
	if r.Version == 0 {
		return 0, nil
	}
	c, err := s.dialect.comparison(ctx, s, db, r, v[pID], v[pNow])
	if err != nil {
		return 0, err
	}
	v[pVersion], v[pOldData], v[pOldOwner] = c.version, c.data, c.owner
	return s.writeRow(ctx, db, &s.q.update, r, v)
}

// maxBatchedData is the largest data of an Update in a batch, in bytes.
const maxBatchedData = 16 << 10

// updateCall is an Update in a batch, which PostgreSQL has.
type updateCall struct {
	record  store.Record
	version store.Version
	err     error
	redo    bool // to be done again, unbatched
}

func (s *Store) updateQueue() *batch.Queue[updateCall] {
	return &batch.Queue[updateCall]{
		Unbatched: func(ctx context.Context, c *updateCall) bool {
			c.version, c.err = s.updateUnbatched(ctx, c.record)
			return true
		},
		Send:        s.sendUpdates,
		MaxInFlight: maxInFlight,
		MaxCalls:    maxCalls,
	}
}

func (s *Store) updateBatched(ctx context.Context, r store.Record) (store.Version, error) {
	// Update may return early, when ctx ends. The caller may then reuse the data while the
	// batch is sent, so the batch has a copy.
	copied := r
	copied.Data = bytes.Clone(r.Data)
	c, ok := s.updates.Do(ctx, updateCall{record: copied})
	switch {
	case !ok:
		return 0, ctx.Err()
	case c.redo:
		return s.updateUnbatched(ctx, r)
	}
	return c.version, c.err
}

// sendUpdates answers a batch. A call whose row was changed or is locked is done again
// unbatched, which finds out the reason or waits for the lock. So are all calls if the
// database has refused the statement, and so undone it.
func (s *Store) sendUpdates(ctx context.Context, calls []*updateCall) {
	byID := make(map[string]*updateCall, len(calls))
	for _, c := range calls {
		c.redo = true
		byID[c.record.ID] = c // one statement changes a row once
	}
	if err := s.updateMany(ctx, byID); err != nil && !isUndone(err) {
		// The statement may have taken effect. The error may name any of the ids, and every
		// call returns it.
		for id := range byID {
			err = redact(err, id)
		}
		for _, c := range byID {
			c.err, c.redo = err, false
		}
	}
}

// updateMany marks the calls that are done, once the whole statement has succeeded.
func (s *Store) updateMany(ctx context.Context, byID map[string]*updateCall) error {
	ids, owners, datas := make([]string, 0, len(byID)), make([]string, 0, len(byID)), make([][]byte, 0, len(byID))
	versions, expiries, dues := make([]int64, 0, len(byID)), make([]int64, 0, len(byID)), make([]int64, 0, len(byID))
	now := s.present()
	for id, c := range byID {
		ids, owners, datas = append(ids, id), append(owners, c.record.Owner), append(datas, c.record.Data)
		expires := s.expiry(c.record.Expires, now)
		stored, _ := s.def.times.encode(expires, now).(int64)
		versions, expiries, dues = append(versions, xmin(c.record.Version)), append(expiries, stored), append(dues, due(expires, now))
	}
	var v values
	v[pIDs], v[pOwners], v[pDatas] = byteas(ids), byteas(owners), byteas(datas)
	v[pVersions], v[pExpiries], v[pDues], v[pNow] = bigints(versions), bigints(expiries), bigints(dues), s.def.times.now(now)
	rows, err := s.q.updateMany.rows(ctx, s.config.DB, &v)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	done := make(map[string]store.Version, len(byID))
	for rows.Next() {
		var id string
		var version int64
		if err := rows.Scan(&id, &version); err != nil {
			return err
		}
		done[id] = store.Version(version)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for id, version := range done {
		byID[id].version, byID[id].redo = version, false
	}
	return nil
}
