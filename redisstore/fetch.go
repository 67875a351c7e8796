package redisstore

import (
	"context"

	"github.com/redis/rueidis"
)

// fetch is a read of one key. Those that go together are one MGET, which costs the
// server and rueidis a part of what as many GETs do.
type fetch struct {
	key   string
	value []byte
	err   error
}

// fetch reads a key, the value or the error.
func (s *Store) fetch(ctx context.Context, key string) ([]byte, error) {
	f, ok := s.fetches.Do(ctx, fetch{key: key})
	if !ok {
		return nil, ctx.Err()
	}
	return f.value, f.err
}

func (s *Store) fetchAll(ctx context.Context, all []*fetch) {
	if len(all) > 1 {
		all = s.fetchMany(ctx, all)
	}
	if len(all) == 0 {
		return
	}
	cmds := make(rueidis.Commands, len(all))
	for i, f := range all {
		cmds[i] = read(s.b, "GET", f.key)
	}
	for i, answer := range send(ctx, s.client, true, cmds) {
		all[i].value, all[i].err = answer.AsBytes()
	}
}

// fetchMany returns those that have to be read one by one: MGET answers alike for a key
// that is not there and for one that holds no string.
func (s *Store) fetchMany(ctx context.Context, all []*fetch) (left []*fetch) {
	keys := make([]string, len(all))
	for i, f := range all {
		keys[i] = f.key
	}
	mget := pinned(s.b.Arbitrary("MGET").Keys(keys...).Build())
	values, err := send(ctx, s.client, true, rueidis.Commands{mget})[0].ToArray()
	if isTryAgain(err) { // of a tag that moves: some are on either node
		return all
	}
	for i, f := range all {
		if f.err = err; err != nil {
			continue
		}
		if f.value, f.err = values[i].AsBytes(); f.err != nil {
			left = append(left, f)
		}
	}
	return left
}
