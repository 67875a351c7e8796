package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/nestsession/session/store"
)

// Load implements [store.Store], in one statement.
func (s *Store) Load(ctx context.Context, id string) (store.Record, error) {
	if err := s.ready(ctx); err != nil {
		return store.Record{}, err
	}
	if s.limits.id(id) != nil {
		return store.Record{}, store.ErrNotFound // no such id can be kept
	}
	load := s.loadAlone
	if s.loads != nil && plain(id) {
		load = s.loadTogether
	}
	r, err := load(ctx, id)
	return r, s.failed(ctx, "load", id, err)
}

func (s *Store) loadAlone(ctx context.Context, id string) (r store.Record, err error) {
	err = s.try(ctx, func() (err error) {
		r, err = s.loadOnce(ctx, id)
		return err
	})
	return r, err
}

func (s *Store) loadOnce(ctx context.Context, id string) (store.Record, error) {
	var v values
	v[pID], v[pNow] = s.text(id), s.shape.times.now(s.present())
	row := found{id: id}
	err := s.q.load.row(ctx, s.config.DB, &v, row.dest(s.shape.dialect, false)...)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Record{}, store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, err
	}
	return s.record(&row), nil
}

// found is a row as it is scanned.
type found struct {
	id      string
	data    []byte
	owner   sql.NullString
	expires int64
	xmin    int64
}

func (f *found) dest(d Dialect, withID bool) []any {
	dest := make([]any, 0, 5)
	if withID {
		dest = append(dest, &f.id)
	}
	dest = append(dest, &f.data, &f.owner, &f.expires)
	if d == Postgres {
		dest = append(dest, &f.xmin)
	}
	return dest
}

// record is what a row says.
func (s *Store) record(f *found) store.Record {
	r := store.Record{ID: f.id, Data: f.data, Expires: moment(s.shape.times, f.expires)}
	r.Owner = f.owner.String
	if of := s.config.OwnerOf; of != nil && !s.shape.native && (!f.owner.Valid || s.shape.derived) {
		r.Owner = of(f.data)
	}
	if s.shape.dialect == Postgres {
		r.Version = store.Version(f.xmin)
	} else {
		r.Version = digestOf(f.data, f.owner.String, s.shape.writesOwner())
	}
	return r
}

// text is an id or an owner as the driver is to have it.
func (s *Store) text(text string) any {
	if s.shape.native && s.shape.dialect == Postgres {
		return []byte(text) // bytea
	}
	return text
}

// document is a session's data as the driver is to have it. Nothing is not NULL.
func (s *Store) document(data []byte) any {
	if !s.shape.native || s.shape.dialect == SQLite {
		return string(data)
	}
	if data == nil {
		return []byte{}
	}
	return data
}
