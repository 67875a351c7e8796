package sqlstore

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/nestsession/session/internal/batch"
	"github.com/nestsession/session/store"
)

// maxData is how long data may be, in bytes, that goes together with others'.
const maxData = 16 << 10

// updating is an Update that may go together with others, as those of PostgreSQL's native
// table do.
type updating struct {
	record  store.Record
	version store.Version
	err     error
	apart   bool // not done: do it by itself
}

func (s *Store) updateLine() *batch.Queue[updating] {
	return &batch.Queue[updating]{
		Unbatched:   func(ctx context.Context, u *updating) { u.version, u.err = s.updateAlone(ctx, u.record) },
		Send:        s.updateAll,
		MaxInFlight: maxInFlight,
		MaxCalls:    maxCalls,
	}
}

func (s *Store) updateTogether(ctx context.Context, r store.Record) (store.Version, error) {
	// Who gives up has his data back, and may write to it while the others are on their way.
	kept := r
	kept.Data = bytes.Clone(r.Data)
	u, ok := s.updates.Do(ctx, updating{record: kept})
	switch {
	case !ok:
		return 0, ctx.Err()
	case u.apart:
		return s.updateAlone(ctx, r)
	}
	return u.version, u.err
}

// updateAll does those that go together. Those that it could not do, because their row has
// changed or somebody holds its lock, are for later, each by itself, which then tells the
// reason or waits. So are all if the database has refused the statement, and so undone it.
func (s *Store) updateAll(ctx context.Context, all []*updating) {
	byID := make(map[string]*updating, len(all))
	for _, u := range all {
		u.apart = true
		byID[u.record.ID] = u // one statement changes a row once
	}
	if err := s.updateMany(ctx, byID); err != nil && !isUndone(err) {
		// Nobody knows what was done. The error may name any of them, and goes to all.
		for id := range byID {
			err = newDiscreet(err, id)
		}
		for _, u := range byID {
			u.err, u.apart = err, false
		}
	}
}

// updateMany marks those that were done once it is known that all of them were.
func (s *Store) updateMany(ctx context.Context, byID map[string]*updating) error {
	ids, owners, datas := make([]string, 0, len(byID)), make([]string, 0, len(byID)), make([][]byte, 0, len(byID))
	versions, expiries, dues := make([]int64, 0, len(byID)), make([]int64, 0, len(byID)), make([]int64, 0, len(byID))
	now := s.present()
	for id, u := range byID {
		ids, owners, datas = append(ids, id), append(owners, u.record.Owner), append(datas, u.record.Data)
		expires := s.expiry(u.record.Expires, now)
		versions, expiries, dues = append(versions, int64(u.record.Version)), append(expiries, expires), append(dues, due(expires, now))
	}
	var v values
	v[pIDs], v[pOwners], v[pDatas] = byteas(ids), byteas(owners), byteas(datas)
	v[pVersions], v[pExpiries], v[pDues], v[pNow] = bigints(versions), bigints(expiries), bigints(dues), s.shape.times.now(now)
	rows, err := s.q.updates.rows(ctx, s.config.DB, &v)
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
		byID[id].version, byID[id].apart = version, false
	}
	return nil
}

// isUndone says that PostgreSQL has refused a statement. Where it says nothing, or that
// something is wrong with itself or that it is ending, what was done is not known.
func isUndone(err error) bool {
	code := state(err)
	unsure := func(class string) bool { return strings.HasPrefix(code, class) }
	return code != "" && !slices.ContainsFunc([]string{"08", "57P", "58", "F0", "XX"}, unsure)
}
