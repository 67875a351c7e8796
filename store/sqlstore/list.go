package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/nestsession/session/store"
)

// A page is the part of a listing that is in memory at a time.
const (
	pageRows  = 1024
	pageBytes = 4 << 20
)

// List implements [store.Lister]. It reads page by page in the order of the ids, and
// no statement is open while the loop's body runs.
//
// By owner, an index is used if there is a column for the owner. If there is none,
// all sessions are read and [Config.OwnerOf] decides; without that, the error is
// [errors.ErrUnsupported]. In a table of another program, rows whose owner is NULL are
// read as well, if there is an OwnerOf to decide.
func (s *Store) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if owner == "" {
			s.pages(ctx, &s.q.list, "", yield)
			return
		}
		of := s.config.OwnerOf
		if !s.q.listOwner.exists() {
			if of == nil {
				yield(store.Record{}, fmt.Errorf("sqlstore: listing by owner: %s has no column for the owner: set Config.OwnerColumn or Config.OwnerOf: %w", s.def.table, errors.ErrUnsupported))
				return
			}
			s.pages(ctx, &s.q.list, owner, yield)
			return
		}
		if s.limits.ownerListable(owner) != nil {
			return // no session can have such an owner
		}
		if s.pages(ctx, &s.q.listOwner, owner, yield) && of != nil && s.q.listUnowned.exists() {
			s.pages(ctx, &s.q.listUnowned, owner, yield)
		}
	}
}

func (l limits) ownerListable(owner string) error {
	return l.check(store.Record{ID: pingID, Owner: owner})
}

// pages yields the rows that the statement finds and the owner has, and reports whether the
// listing should continue.
func (s *Store) pages(ctx context.Context, st *statement, owner string, yield func(store.Record, error) bool) bool {
	after, limit := "", pageRows
	for {
		if err := s.ready(ctx); err != nil {
			yield(store.Record{}, err)
			return false
		}
		var records []store.Record
		var more bool
		err := s.try(ctx, func() (err error) {
			records, more, err = s.page(ctx, st, owner, after, limit)
			return err
		})
		if err != nil {
			yield(store.Record{}, s.failed(ctx, "list", "", err))
			return false
		}
		size := 0
		for _, r := range records {
			if owner == "" || r.Owner == owner {
				if !yield(r, nil) {
					return false
				}
			}
			after = r.ID
			size += len(r.Data)
		}
		if !more {
			return true
		}
		// As many records as fit into a page if they are as large as these.
		limit = max(1, min(pageRows, pageBytes/(size/len(records)+1)))
	}
}

// page reads up to limit records, and fewer if they are large.
func (s *Store) page(ctx context.Context, st *statement, owner, after string, limit int) (records []store.Record, more bool, err error) {
	var v values
	v[pAfter], v[pOwner], v[pLimit] = s.def.text(after), s.def.text(owner), int64(limit+1) // one more shows whether there are more
	v[pNow] = s.def.times.now(s.present())
	rows, err := st.rows(ctx, s.config.DB, &v)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = rows.Close() }()
	size := 0
	for rows.Next() {
		if len(records) == limit || size >= pageBytes {
			return records, true, nil
		}
		var row resultRow
		if err := rows.Scan(row.dest(s.def.traits, true)...); err != nil {
			return nil, false, err
		}
		records = append(records, s.record(&row))
		size += len(row.data)
	}
	return records, false, rows.Err()
}
