package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// entry is one of an owner's index: a session, and until when at least it is in
// the index.
type entry struct {
	id    string
	score int64
}

// settleScript takes an entry out, or gives it another score, if it is as it was
// seen. Arguments: id, score seen, score to set or "".
var settleScript = newScript(`
local n = 0
for i = 1, #ARGV, 3 do
	local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
	if score and tonumber(score) == tonumber(ARGV[i + 1]) then
		if ARGV[i + 2] == '' then n = n + redis.call('ZREM', KEYS[1], ARGV[i])
		else redis.call('ZADD', KEYS[1], ARGV[i + 2], ARGV[i]) end
	end
end
return n`)

// settle looks after entries that are due. A session that is gone, or somebody
// else's by now, is taken out. One that lives gets its expiry for a score: it was
// touched, by whomever.
//
// None that lives is taken out. To bring one back, or to this owner, a writer
// first sets a score that is not due; then the entry is not as it was seen.
func (s *Store) settle(ctx context.Context, key string, entries []entry) (removed int64, err error) {
	owner := s.ownerOf(key)
	args := make([]string, 0, 3*len(entries))
	records, errs := s.loadAll(ctx, entries)
	for i, e := range entries {
		score := ""
		switch err := errs[i]; {
		case err == nil && records[i].Owner == owner:
			score = number(milli(records[i].Expires))
		case err != nil && !absent(err):
			return 0, err
		}
		args = append(args, e.id, number(e.score), score)
	}
	return s.eval(ctx, &settleScript, []string{key}, args).AsInt64()
}

// fallDue lets the entries of sessions that are seen to be gone fall due once the
// grace is over, if they would not before.
func (s *Store) fallDue(ctx context.Context, key string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	now := float64(s.config.Now().UnixMilli())
	cmd := s.b.Zadd().Key(key).Xx().Lt().ScoreMember()
	for _, id := range ids {
		cmd = cmd.ScoreMember(now, id)
	}
	return s.do(ctx, s.client, cmd.Build()).Error()
}

// listOwner yields the sessions of the owner.
func (s *Store) listOwner(ctx context.Context, owner string, yield func(store.Record) bool) error {
	if !s.owned {
		return fmt.Errorf("listing by owner needs Config.OwnerOf: %w", errors.ErrUnsupported)
	}
	key := s.ownerKey(owner)
	var seen window
	var server identity
	for cursor := uint64(0); ; {
		scan := read(s.b, "ZSCAN", key, strconv.FormatUint(cursor, 10), "COUNT", number(page))
		info := pinned(s.b.Arbitrary("INFO", "server").Build().SetSlot(key))
		answers := s.read(ctx, s.client, rueidis.Commands{scan, info})
		e, err := answers[0].AsScanEntry()
		if err != nil {
			return err
		}
		if err := server.same(answers[1]); err != nil {
			return err
		}
		entries, err := parseEntries(e.Elements, &seen)
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(entries, page) {
			if more, err := s.listEntries(ctx, key, owner, chunk, yield); err != nil || !more {
				return err
			}
		}
		if cursor = e.Cursor; cursor == 0 {
			return nil
		}
	}
}

// unanswered reports whether err is other than what the server answered.
func unanswered(err error) bool {
	_, ok := rueidis.IsRedisErr(err)
	return err != nil && !ok
}

// parseEntries reads ids and scores, and leaves out what was seen before.
func parseEntries(elements []string, seen *window) ([]entry, error) {
	var entries []entry
	for i := 0; i+1 < len(elements); i += 2 {
		score, err := strconv.ParseFloat(elements[i+1], 64)
		if err != nil {
			return nil, fmt.Errorf("an owner's index: %w", err)
		}
		if seen.add(elements[i]) {
			entries = append(entries, entry{elements[i], int64(score)})
		}
	}
	return entries, nil
}

// listEntries yields the owner's sessions among the entries, and sees to the
// others.
func (s *Store) listEntries(ctx context.Context, key, owner string, entries []entry, yield func(store.Record) bool) (more bool, err error) {
	records, errs := s.loadAll(ctx, entries)
	var ended []string
	var due []entry
	before := s.dueBefore()
	for i, e := range entries {
		if err := errs[i]; err != nil && !absent(err) {
			return false, err
		}
		if e.score <= before {
			due = append(due, e)
		} else if errs[i] != nil {
			ended = append(ended, e.id)
		}
	}
	// A server that is out of memory or takes no writes is no reason not to list: the
	// entries are seen to another time.
	if err := s.fallDue(ctx, key, ended); unanswered(err) {
		return false, err
	}
	if len(due) > 0 {
		if _, err := s.settle(ctx, key, due); unanswered(err) {
			return false, err
		}
	}
	for i, r := range records {
		if errs[i] != nil || r.Owner != owner {
			continue
		}
		if err := s.ready(ctx); err != nil {
			return false, err
		}
		if !yield(r) {
			return false, nil
		}
	}
	return true, nil
}
