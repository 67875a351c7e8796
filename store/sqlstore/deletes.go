package sqlstore

import (
	"context"

	"github.com/nestsession/session/internal/batch"
)

// deleting is a Delete that may go together with others, as those of PostgreSQL do: who
// ends all sessions of an owner should not wait for as many round trips.
type deleting struct {
	id    string
	err   error
	apart bool // not done: do it by itself
}

func (s *Store) deleteLine() *batch.Queue[deleting] {
	return &batch.Queue[deleting]{
		Unbatched:   func(ctx context.Context, d *deleting) { d.err = s.deleteAlone(ctx, d.id) },
		Send:        s.deleteAll,
		MaxInFlight: maxInFlight,
		MaxCalls:    maxCalls,
	}
}

func (s *Store) deleteTogether(ctx context.Context, id string) error {
	d, ok := s.deletes.Do(ctx, deleting{id: id})
	switch {
	case !ok:
		return ctx.Err()
	case d.apart:
		return s.deleteAlone(ctx, id)
	}
	return d.err
}

func (s *Store) deleteAlone(ctx context.Context, id string) error {
	var v values
	v[pID] = s.text(id)
	return s.write(ctx, func() error {
		_, err := s.q.delete.exec(ctx, s.config.DB, &v)
		return err
	})
}

// deleteAll deletes those that go together. A row that is not there, or whose lock somebody
// holds, is for later, by itself; so are all if the statement has failed, since to delete
// once more does no harm.
func (s *Store) deleteAll(ctx context.Context, all []*deleting) {
	ids := make([]string, len(all))
	for i, d := range all {
		ids[i], d.apart = d.id, true
	}
	done, err := s.deleteMany(ctx, ids)
	if err != nil {
		return
	}
	for _, d := range all {
		d.apart = !done[d.id]
	}
}

func (s *Store) deleteMany(ctx context.Context, ids []string) (done map[string]bool, err error) {
	var v values
	v[pIDs] = s.list(ids)
	rows, err := s.q.deletes.rows(ctx, s.config.DB, &v)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	done = make(map[string]bool, len(ids))
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		done[id] = true
	}
	return done, rows.Err()
}

// deleteMany is delete for many rows of PostgreSQL, all at once. It returns those that are
// gone, and passes over those that are locked: it waits for nobody, and nobody waits in a
// circle.
func (s shape) deleteMany() statement {
	array, id := "::bytea[]", "t."+s.id
	exact := []any{}
	if !s.native {
		array, id = "::text[]", id+"::text"
		exact = []any{" AND ", id, ` COLLATE "C" = ANY(`, pIDs, array, ")"}
	}
	return s.dialect.compose("WITH w AS MATERIALIZED (SELECT t.", s.id, " FROM ", s.table, " AS t WHERE t.", s.id, " = ANY(", pIDs, array, ")", exact,
		" FOR UPDATE SKIP LOCKED) DELETE FROM ", s.table, " AS t USING w WHERE t.", s.id, " = w.", s.id, " RETURNING ", id)
}
