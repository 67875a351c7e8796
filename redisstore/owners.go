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
var settleScript = newScript(unlisting + `
local n = 0
for i = 1, #ARGV, 3 do
	local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
	if score and tonumber(score) == tonumber(ARGV[i + 1]) then
		if ARGV[i + 2] == '' then n = n + redis.call('ZREM', KEYS[1], ARGV[i])
		else redis.call('ZADD', KEYS[1], ARGV[i + 2], ARGV[i]) end
	end
end
if n > 0 then uncount(KEYS[2], n) end
return n`)

// settle looks after entries that are due. A session that is gone, or somebody
// else's by now, is taken out. One that lives gets its expiry for a score: it was
// touched, by whomever.
//
// None that lives is taken out. To bring one back, or to this owner, a writer
// first sets a score that is not due; then the entry is not as it was seen.
func (s *Store) settle(ctx context.Context, owner string, entries []entry) (removed int64, err error) {
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
	return s.eval(ctx, &settleScript, []string{s.ownerKey(owner), s.countKey(owner)}, args).AsInt64()
}

// fallDue lets the entries of sessions that are seen to be gone fall due once the
// grace is over, if they would not before.
func (s *Store) fallDue(ctx context.Context, owner string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	now := float64(s.config.Now().UnixMilli())
	cmd := s.b.Zadd().Key(s.ownerKey(owner)).Xx().Lt().ScoreMember()
	for _, id := range ids {
		cmd = cmd.ScoreMember(now, id)
	}
	return s.do(ctx, s.client, cmd.Build()).Error()
}

// listOwner yields the sessions of the owner: those in his index if that is known to be
// whole, else those found among all.
func (s *Store) listOwner(ctx context.Context, owner string, yield func(store.Record) bool) error {
	if !s.owned {
		return fmt.Errorf("listing by owner needs Config.OwnerOf: %w", errors.ErrUnsupported)
	}
	p, err := s.indexPage(ctx, owner, 0)
	if err != nil {
		return err
	}
	if !p.trusted {
		if p, err = s.rebuilt(ctx, owner); err != nil {
			return err
		}
	}
	if !p.trusted || p.entries != p.count {
		return s.search(ctx, owner, p.trusted, yield)
	}
	var seen window
	var server identity
	for {
		if err := server.same(p.server); err != nil {
			return err
		}
		entries, err := parseEntries(p.elements, &seen)
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(entries, page) {
			if more, err := s.listEntries(ctx, owner, chunk, p.records, yield); err != nil || !more {
				return err
			}
		}
		if p.cursor == 0 {
			return nil
		}
		if p, err = s.indexPage(ctx, owner, p.cursor); err != nil {
			return err
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
// others. Those that were read with the index are in known.
func (s *Store) listEntries(ctx context.Context, owner string, entries []entry, known map[string]loaded, yield func(store.Record) bool) (more bool, err error) {
	all, err := s.records(ctx, entries, known)
	if err != nil {
		return false, err
	}
	var ended []string
	var due []entry
	before := s.dueBefore()
	for i, e := range entries {
		if e.score <= before {
			due = append(due, e)
		} else if all[i].err != nil && known == nil { // else the script has seen to it
			ended = append(ended, e.id)
		}
	}
	// A server that is out of memory or takes no writes is no reason not to list: the
	// entries are seen to another time.
	if err := s.fallDue(ctx, owner, ended); unanswered(err) {
		return false, err
	}
	if len(due) > 0 {
		if _, err := s.settle(ctx, owner, due); unanswered(err) {
			return false, err
		}
	}
	for _, l := range all {
		if l.err != nil || l.record.Owner != owner {
			continue
		}
		if err := s.ready(ctx); err != nil {
			return false, err
		}
		if !yield(l.record) {
			return false, nil
		}
	}
	return true, nil
}

// loaded is a session of an index, or that there is none.
type loaded struct {
	record store.Record
	err    error
}

// records are the sessions of the entries, known or not.
func (s *Store) records(ctx context.Context, entries []entry, known map[string]loaded) ([]loaded, error) {
	all := make([]loaded, len(entries))
	if known != nil {
		for i, e := range entries {
			all[i] = known[e.id]
		}
		return all, nil
	}
	records, errs := s.loadAll(ctx, entries)
	for i, err := range errs {
		if err != nil && !absent(err) {
			return nil, err
		}
		all[i] = loaded{records[i], err}
	}
	return all, nil
}
