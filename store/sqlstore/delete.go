package sqlstore

import (
	"context"

	"github.com/nestsession/session/internal/batch"
)

// Delete implements [store.Store], in one statement.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if s.limits.id(id) != nil {
		return nil
	}
	del := s.deleteUnbatched
	if s.deletes != nil && plain(id) {
		del = s.deleteBatched
	}
	err := del(ctx, id)
	return s.failed(ctx, "delete", id, err)
}

func (s *Store) deleteUnbatched(ctx context.Context, id string) error {
	var v values
	v[pID] = s.def.text(id)
	return s.write(ctx, func() error {
		_, err := s.q.delete.exec(ctx, s.config.DB, &v)
		return err
	})
}

// deleteCall is a Delete in a batch, which PostgreSQL has: to end all sessions of an owner
// should not take one round trip for each.
type deleteCall struct {
	id   string
	err  error
	redo bool // to be done again, unbatched
}

func (s *Store) deleteQueue() *batch.Queue[deleteCall] {
	return &batch.Queue[deleteCall]{
		Unbatched:   func(ctx context.Context, c *deleteCall) bool { c.err = s.deleteUnbatched(ctx, c.id); return true },
		Send:        s.sendDeletes,
		MaxInFlight: maxInFlight,
		MaxCalls:    maxCalls,
	}
}

func (s *Store) deleteBatched(ctx context.Context, id string) error {
	c, ok := s.deletes.Do(ctx, deleteCall{id: id})
	switch {
	case !ok:
		return ctx.Err()
	case c.redo:
		return s.deleteUnbatched(ctx, id)
	}
	return c.err
}

// sendDeletes answers a batch. A call whose row is not there or is locked is done again
// unbatched; so are all calls if the statement has failed, since to delete a row a second
// time does no harm.
func (s *Store) sendDeletes(ctx context.Context, calls []*deleteCall) {
	ids := make([]string, len(calls))
	for i, c := range calls {
		ids[i], c.redo = c.id, true
	}
	done, err := s.deleteMany(ctx, ids)
	if err != nil {
		return
	}
	for _, c := range calls {
		c.redo = !done[c.id]
	}
}

func (s *Store) deleteMany(ctx context.Context, ids []string) (done map[string]bool, err error) {
	var v values
	v[pIDs] = s.q.idList(ids)
	rows, err := s.q.deleteMany.rows(ctx, s.config.DB, &v)
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
