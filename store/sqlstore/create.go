package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/nestsession/session/store"
)

// maxTries is how often a write starts over because another client inserted, deleted or
// changed the row between two of its statements.
const maxTries = 10

// Create implements [store.Store]: in one statement, and with MySQL in two where it
// takes an expired session's place. An id, an owner or data that the table cannot
// keep is an error.
func (s *Store) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	if err := s.check(r); err != nil {
		return 0, err
	}
	var v store.Version
	err := s.write(ctx, func() (err error) {
		v, err = s.create(ctx, r)
		return err
	})
	return v, s.failed(ctx, "create", r.ID, err)
}

func (s *Store) create(ctx context.Context, r store.Record) (store.Version, error) {
	for range maxTries {
		v, expired := s.values(r)
		version, err := s.insert(ctx, r, &v)
		if version != 0 || err != nil {
			return version, err
		}
		_, err = s.loadOnce(ctx, r.ID)
		switch {
		case err == nil:
			return 0, store.ErrExists
		case !errors.Is(err, store.ErrNotFound):
			return 0, err
		case expired:
			// The row in the table has expired, and so has this record: no caller can tell
			// one from the other.
			return digestOf(r.Data, r.Owner, true), nil
		}
	}
	return 0, ownError("the table takes the id for another one that it holds, because the column's collation ignores case, accents or spaces at the end; a binary collation without padding keeps both")
}

// insert returns the version of the new row, or 0 if there is one already.
func (s *Store) insert(ctx context.Context, r store.Record, v *values) (store.Version, error) {
	version, err := s.writeRow(ctx, s.config.DB, &s.q.insert, r, v)
	if err != nil && s.q.replace.exists() && isDuplicate(err) {
		return s.writeRow(ctx, s.config.DB, &s.q.replace, r, v)
	}
	return version, err
}

// writeRow runs a statement that writes one row, and returns the row's new version, or 0 if
// the statement wrote none.
func (s *Store) writeRow(ctx context.Context, db queryer, st *statement, r store.Record, v *values) (store.Version, error) {
	if s.def.traits.rowVersions {
		var version int64
		err := st.row(ctx, db, v, &version)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, nil
		}
		return store.Version(version), err
	}
	n, err := st.exec(ctx, db, v)
	if err != nil || n == 0 {
		return 0, err
	}
	return digestOf(r.Data, r.Owner, s.def.writesOwner()), nil
}

// values are the parameters of a write; expired reports whether the record has expired.
func (s *Store) values(r store.Record) (v values, expired bool) {
	now := s.present()
	expires := s.expiry(r.Expires, now)
	v[pID], v[pOwner], v[pData] = s.def.text(r.ID), s.def.text(r.Owner), s.def.document(r.Data)
	v[pExpires], v[pDue], v[pNow] = s.def.times.encode(expires, now), due(expires, now), s.def.times.now(now)
	return v, expires <= now
}

// check refuses what the table cannot keep.
func (s *Store) check(r store.Record) error {
	if err := s.limits.check(r); err != nil {
		return err
	}
	if of := s.config.OwnerOf; of != nil && !s.def.native && !s.def.writesOwner() && of(r.Data) != r.Owner {
		return fmt.Errorf("sqlstore: the record has an owner that Config.OwnerOf does not find in its data, and %s has no column for it", s.def.table)
	}
	return nil
}
