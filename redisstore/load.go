package redisstore

import (
	"context"
	"errors"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// page is how many sessions a listing reads at a time.
const page = 100

// loadAll reads the sessions of the entries, in one round trip to each server. Of
// each there is a record or an error.
func (s *Store) loadAll(ctx context.Context, entries []entry) ([]store.Record, []error) {
	if len(entries) == 0 {
		return nil, nil
	}
	var cmds rueidis.Commands
	for _, e := range entries {
		cmds = s.layout.reads(cmds, s.key(e.id))
	}
	answers := s.read(ctx, s.client, cmds)
	each := len(cmds) / len(entries)
	records, errs := make([]store.Record, len(entries)), make([]error, len(entries))
	for i, e := range entries {
		records[i], errs[i] = s.layout.record(e.id, answers[i*each:(i+1)*each])
	}
	return records, errs
}

// absent reports whether err says that there is no session under the key, none at
// all or something else.
func absent(err error) bool {
	return rueidis.IsRedisNil(err) || errors.Is(err, errForeign)
}

// deleteOwned deletes a session, and its entry in its owner's index with it, where a
// script can read the owner and reach the index. Else it lets the entry fall due once the
// grace is over, rather than at the session's expiry; that this fails is no failure.
func (s *Store) deleteOwned(ctx context.Context, id string) error {
	if sc := &s.layout.scripts().remove; !s.spread && sc.text != "" {
		return s.eval(ctx, sc, []string{s.key(id)}, []string{id, s.indexes, s.counts}).Error()
	}
	value, err := s.do(ctx, s.client, s.b.Getdel().Key(s.key(id)).Build()).AsBytes()
	switch {
	case rueidis.IsRedisNil(err):
		return nil
	case isWrongType(err):
		return s.do(ctx, s.client, s.b.Del().Key(s.key(id)).Build()).Error()
	case err != nil:
		return err
	}
	if owner := s.layout.owner(value); owner != "" {
		_ = s.fallDue(ctx, owner, []string{id})
	}
	return nil
}
