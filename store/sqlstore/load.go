package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"github.com/nestsession/session/internal/batch"
	"github.com/nestsession/session/store"
)

// The bounds of the batches of loads, updates and deletions.
const (
	maxInFlight = 2  // batches at the same time
	maxCalls    = 64 // calls in one statement
)

// Load implements [store.Store], in one statement.
func (s *Store) Load(ctx context.Context, id string) (store.Record, error) {
	if err := s.ready(ctx); err != nil {
		return store.Record{}, err
	}
	if s.limits.id(id) != nil {
		return store.Record{}, store.ErrNotFound // no such id can be kept
	}
	load := s.loadUnbatched
	if s.loads != nil && plain(id) {
		load = s.loadBatched
	}
	r, err := load(ctx, id)
	return r, s.failed(ctx, "load", id, err)
}

func (s *Store) loadUnbatched(ctx context.Context, id string) (r store.Record, err error) {
	err = s.try(ctx, func() (err error) {
		r, err = s.loadOnce(ctx, id)
		return err
	})
	return r, err
}

func (s *Store) loadOnce(ctx context.Context, id string) (store.Record, error) {
	return s.loadFrom(ctx, s.config.DB, id)
}

func (s *Store) loadFrom(ctx context.Context, db queryer, id string) (store.Record, error) {
	var v values
	v[pID], v[pNow] = s.def.text(id), s.def.times.now(s.present())
	row := resultRow{id: id}
	err := s.q.load.row(ctx, db, &v, row.dest(s.def.traits, false)...)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Record{}, store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, err
	}
	return s.record(&row), nil
}

// loadCall is a Load in a batch: most of what a statement costs does not depend on the
// number of rows. MySQL has no batches of loads, because they were hardly faster there.
type loadCall struct {
	id     string
	record store.Record
	err    error
	redo   bool // to be done again, unbatched
}

func (s *Store) loadQueue() *batch.Queue[loadCall] {
	return &batch.Queue[loadCall]{
		Unbatched:   func(ctx context.Context, c *loadCall) bool { c.record, c.err = s.loadUnbatched(ctx, c.id); return true },
		Send:        s.sendLoads,
		MaxInFlight: maxInFlight,
		MaxCalls:    maxCalls,
	}
}

func (s *Store) loadBatched(ctx context.Context, id string) (store.Record, error) {
	c, ok := s.loads.Do(ctx, loadCall{id: id, err: store.ErrNotFound})
	switch {
	case !ok:
		return store.Record{}, ctx.Err()
	case c.redo:
		return s.loadUnbatched(ctx, id)
	}
	return c.record, c.err
}

// sendLoads answers a batch. If the batch fails, each call is done again unbatched,
// because a single row may be the one that cannot be read.
func (s *Store) sendLoads(ctx context.Context, calls []*loadCall) {
	if err := s.loadMany(ctx, calls); err != nil {
		for _, c := range calls {
			c.redo = true
		}
	}
}

func (s *Store) loadMany(ctx context.Context, calls []*loadCall) error {
	ids := make([]string, len(calls))
	for i, c := range calls {
		ids[i] = c.id
	}
	var v values
	v[pIDs], v[pNow] = s.q.idList(ids), s.def.times.now(s.present())
	rows, err := s.q.loadMany.rows(ctx, s.config.DB, &v)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row resultRow
		if err := rows.Scan(row.dest(s.def.traits, true)...); err != nil {
			return err
		}
		r := s.record(&row)
		for _, c := range calls {
			if c.id == r.ID {
				c.record, c.err = r, nil
				r.Data = bytes.Clone(r.Data) // for another call with the same id
			}
		}
	}
	return rows.Err()
}

// resultRow is a row as it is scanned.
type resultRow struct {
	id      string
	data    []byte
	owner   sql.NullString
	expires int64
	version int64
}

func (r *resultRow) dest(t *traits, withID bool) []any {
	dest := make([]any, 0, 5)
	if withID {
		dest = append(dest, &r.id)
	}
	dest = append(dest, &r.data, &r.owner, &r.expires)
	if t.rowVersions {
		dest = append(dest, &r.version)
	}
	return dest
}

// record makes a record of a row.
func (s *Store) record(row *resultRow) store.Record {
	r := store.Record{ID: row.id, Data: row.data, Expires: timeOf(s.def.times, row.expires)}
	r.Owner = row.owner.String
	if of := s.config.OwnerOf; of != nil && !s.def.native && (!row.owner.Valid || s.def.generatedOwner) {
		r.Owner = of(row.data)
	}
	if s.def.traits.rowVersions {
		r.Version = store.Version(row.version)
	} else {
		r.Version = digestOf(row.data, row.owner.String, s.def.writesOwner())
	}
	return r
}
