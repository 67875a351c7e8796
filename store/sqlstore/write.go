package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/nestsession/session/store"
)

// tries is how often a write is begun anew because the row has come, gone or
// changed between two statements of it. Each time somebody else has got on.
const tries = 10

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
	for range tries {
		v, dead := s.values(r)
		version, err := s.insertOnce(ctx, r, &v)
		if version != 0 || err != nil {
			return version, err
		}
		_, err = s.loadOnce(ctx, r.ID)
		switch {
		case err == nil:
			return 0, store.ErrExists
		case !errors.Is(err, store.ErrNotFound):
			return 0, err
		case dead:
			// What is there has ended, as this one has: nobody can tell them apart.
			return digestOf(r.Data, r.Owner, true), nil
		}
	}
	return 0, refusal("the table takes the id for another one that it holds, because the column's collation ignores case, accents or spaces at the end; a binary collation without padding keeps both")
}

// insertOnce returns the version of the new row, or 0 if there was one already.
func (s *Store) insertOnce(ctx context.Context, r store.Record, v *values) (store.Version, error) {
	if s.shape.dialect == Postgres {
		return s.returned(ctx, &s.q.insert, v)
	}
	n, err := s.q.insert.exec(ctx, s.config.DB, v)
	if err != nil && s.shape.dialect == MySQL && isDuplicate(err) {
		n, err = s.q.replace.exec(ctx, s.config.DB, v)
	}
	if err != nil || n == 0 {
		return 0, err
	}
	return digestOf(r.Data, r.Owner, s.shape.writesOwner()), nil
}

// returned is the version that a statement of PostgreSQL returns, 0 for no row.
func (s *Store) returned(ctx context.Context, st *statement, v *values) (store.Version, error) {
	var xmin int64
	err := st.row(ctx, s.config.DB, v, &xmin)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return store.Version(xmin), err
}

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
	update := s.updateAlone
	if s.updates != nil && r.Version != 0 && len(r.Data) <= maxData {
		update = s.updateTogether
	}
	v, err := update(ctx, r)
	return v, s.failed(ctx, "update", r.ID, err)
}

func (s *Store) updateAlone(ctx context.Context, r store.Record) (v store.Version, err error) {
	err = s.write(ctx, func() (err error) {
		v, err = s.update(ctx, r)
		return err
	})
	return v, err
}

func (s *Store) update(ctx context.Context, r store.Record) (store.Version, error) {
	for range tries {
		v, _ := s.values(r)
		version, err := s.swapOnce(ctx, r, &v)
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
		// MySQL reports the rows that it has changed, unless the driver asks for those
		// that it has found.
		next := digestOf(r.Data, r.Owner, s.shape.writesOwner())
		if s.shape.dialect == MySQL && next == r.Version && s.keeps(is.Expires, v[pExpires]) {
			return next, nil
		}
	}
	return 0, store.ErrConflict
}

// swapOnce returns the new version, or 0 if the row was not there as it should be.
func (s *Store) swapOnce(ctx context.Context, r store.Record, v *values) (store.Version, error) {
	if r.Version == 0 {
		return 0, nil
	}
	switch s.shape.dialect {
	case Postgres:
		v[pVersion] = int64(r.Version)
		return s.returned(ctx, &s.q.update, v)
	case MySQL:
		v[pVersion] = digestText(r.Version)
	case SQLite:
		var data []byte
		var owner sql.NullString
		err := s.q.old.row(ctx, s.config.DB, v, &data, &owner)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, store.ErrNotFound
		}
		if err != nil {
			return 0, err
		}
		if digestOf(data, owner.String, s.shape.writesOwner()) != r.Version {
			return 0, store.ErrConflict
		}
		v[pOldData], v[pOldOwner] = string(data), owner
		if data == nil {
			v[pOldData] = nil
		}
	}
	n, err := s.q.update.exec(ctx, s.config.DB, v)
	if err != nil || n == 0 {
		return 0, err
	}
	return digestOf(r.Data, r.Owner, s.shape.writesOwner()), nil
}

// values are those of a write, and whether the record is over already.
func (s *Store) values(r store.Record) (v values, dead bool) {
	now := s.present()
	expires := s.expiry(r.Expires, now)
	v[pID], v[pOwner], v[pData] = s.text(r.ID), s.text(r.Owner), s.document(r.Data)
	v[pExpires], v[pDue], v[pNow] = s.shape.times.encode(expires, now), due(expires, now), s.shape.times.now(now)
	return v, expires <= now
}

// check refuses what the table cannot keep.
func (s *Store) check(r store.Record) error {
	if err := s.limits.check(r); err != nil {
		return err
	}
	if of := s.config.OwnerOf; of != nil && !s.shape.native && !s.shape.writesOwner() && of(r.Data) != r.Owner {
		return fmt.Errorf("sqlstore: the record has an owner that Config.OwnerOf does not find in its data, and %s has no column for it", s.shape.table)
	}
	return nil
}
