package sqlstore

import (
	"bytes"
	"context"

	"github.com/nestsession/session/internal/batch"
	"github.com/nestsession/session/store"
)

const (
	maxInFlight = 2  // of loads, or of updates, on their way at most
	maxCalls    = 64 // of them in one statement
)

// loading is a Load that may go together with others: most of what a statement costs is
// not by the row. MySQL's are left alone, with which that was not worth while.
type loading struct {
	id     string
	record store.Record
	err    error
	apart  bool // do it by itself
}

func (s *Store) loadLine() *batch.Queue[loading] {
	return &batch.Queue[loading]{
		Unbatched:   func(ctx context.Context, l *loading) { l.record, l.err = s.loadAlone(ctx, l.id) },
		Send:        s.loadAll,
		MaxInFlight: maxInFlight,
		MaxCalls:    maxCalls,
	}
}

func (s *Store) loadTogether(ctx context.Context, id string) (store.Record, error) {
	l, ok := s.loads.Do(ctx, loading{id: id, err: store.ErrNotFound})
	switch {
	case !ok:
		return store.Record{}, ctx.Err()
	case l.apart:
		return s.loadAlone(ctx, id)
	}
	return l.record, l.err
}

// loadAll answers those that go together. If that fails each is tried by itself: it may
// be one row alone that cannot be read.
func (s *Store) loadAll(ctx context.Context, all []*loading) {
	if err := s.loadMany(ctx, all); err != nil {
		for _, l := range all {
			l.apart = true
		}
	}
}

func (s *Store) loadMany(ctx context.Context, all []*loading) error {
	ids := make([]string, len(all))
	for i, l := range all {
		ids[i] = l.id
	}
	var v values
	v[pIDs], v[pNow] = s.list(ids), s.shape.times.now(s.present())
	rows, err := s.q.loads.rows(ctx, s.config.DB, &v)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row found
		if err := rows.Scan(row.dest(s.shape.dialect, true)...); err != nil {
			return err
		}
		r := s.record(&row)
		for _, l := range all {
			if l.id == r.ID {
				l.record, l.err = r, nil
				r.Data = bytes.Clone(r.Data) // for the next one who asks for it
			}
		}
	}
	return rows.Err()
}
