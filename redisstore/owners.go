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

// entry is an entry of an owner's index: a session, and when the entry is due.
type entry struct {
	id    string
	score int64 // in ms since 1970
}

// trimEntries removes entries that are due, if their session has ended or has another owner. The
// entry of a session that was touched gets the new expiry for a score.
//
// It removes no session of the owner. A writer that restores such a session, or gives it to
// this owner, first sets a score that is not due, and the script leaves an entry whose score
// has changed.
func (s *Store) trimEntries(ctx context.Context, owner string, entries []entry) (removed int64, err error) {
	args := make([]string, 0, 3*len(entries))
	records, errs := s.loadAll(ctx, entries)
	for i, e := range entries {
		score := ""
		switch err := errs[i]; {
		case err == nil && records[i].Owner == owner:
			score = number(milli(records[i].Expires))
		case err != nil && !isAbsent(err):
			return 0, err
		}
		args = append(args, e.id, number(e.score), score)
	}
	return s.eval(ctx, &indexTrimScript, []string{s.ownerKey(owner), s.countKey(owner)}, args).AsInt64()
}

// fallDue lets the entries of sessions that have ended fall due when the grace is over, unless
// they are due before.
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

// listOwner yields the sessions of the owner. It reads the index if that is known to be whole,
// else all sessions.
func (s *Store) listOwner(ctx context.Context, owner string, yield func(store.Record) bool) error {
	if !s.hasOwners {
		return fmt.Errorf("listing by owner needs Config.OwnerOf: %w", errors.ErrUnsupported)
	}
	p, err := s.indexPage(ctx, owner, 0)
	if err != nil {
		return err
	}
	if !p.trusted {
		if p, err = s.restored(ctx, owner); err != nil {
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

// parseEntries decodes ids and scores, and drops the ids that were seen before.
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

// listEntries yields the owner's sessions among the entries, and trims the other entries. The
// sessions that were read with the index are in known.
func (s *Store) listEntries(ctx context.Context, owner string, entries []entry, known map[string]loaded, yield func(store.Record) bool) (more bool, err error) {
	all, err := s.records(ctx, entries, known)
	if err != nil {
		return false, err
	}
	var ended []string
	var due []entry
	until := s.dueUntil()
	for i, e := range entries {
		if e.score <= until {
			due = append(due, e)
		} else if all[i].err != nil && known == nil { // else the script has changed its score
			ended = append(ended, e.id)
		}
	}
	// A server that is out of memory or takes no writes does not keep the sessions from being
	// listed: a later call trims the entries.
	if err := s.fallDue(ctx, owner, ended); unanswered(err) {
		return false, err
	}
	if len(due) > 0 {
		if _, err := s.trimEntries(ctx, owner, due); unanswered(err) {
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

// loaded is a session of an index, or the error of reading it.
type loaded struct {
	record store.Record
	err    error
}

// records returns the sessions of the entries. It reads them unless they are known.
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
		if err != nil && !isAbsent(err) {
			return nil, err
		}
		all[i] = loaded{records[i], err}
	}
	return all, nil
}

// loadAll reads the sessions of the entries, in one round trip to each server. It returns a
// record or an error for each.
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

// indexPage is a page of an owner's index, with the facts that show whether it is whole.
type indexPage struct {
	cursor         uint64
	elements       []string // ids and scores
	entries, count int64
	records        map[string]loaded // nil: not read
	server         rueidis.RedisResult
	trusted        bool // no index was lost without its count
}

func (s *Store) indexPage(ctx context.Context, owner string, cursor uint64) (p indexPage, err error) {
	keys := []string{s.ownerKey(owner), s.countKey(owner)}
	args := []string{strconv.FormatUint(cursor, 10), number(page), s.config.Prefix, s.placement.pageReads(), number(s.config.Now().UnixMilli())}
	cmds := make(rueidis.Commands, 1, 2+len(infoSections))
	for _, section := range infoSections {
		cmds = append(cmds, pinned(s.b.Arbitrary("INFO", section).Build().SetSlot(keys[0])))
	}
	cmds = append(cmds, read(s.b, "GET", s.wholeKey()))
	cmds[0] = pinned(indexPageScript.byDigest(s.b, keys, args))
	answers := s.read(ctx, s.client, cmds)
	if isNoScript(answers[0].Error()) {
		cmds[0] = pinned(indexPageScript.inFull(s.b, keys, args))
		answers = s.read(ctx, s.client, cmds)
	}
	parts, err := answers[0].ToArray()
	if err != nil {
		return p, err
	}
	if p.cursor, err = parts[0].AsUint64(); err != nil {
		return p, err
	}
	if p.elements, err = parts[1].AsStrSlice(); err != nil {
		return p, err
	}
	if p.entries, err = parts[2].AsInt64(); err != nil {
		return p, err
	}
	if p.count, err = parts[3].AsInt64(); err != nil {
		return p, err
	}
	values, err := parts[4].ToArray()
	if err != nil {
		return p, err
	}
	if args[3] != "" {
		p.records = make(map[string]loaded, len(p.elements)/2)
		each := len(values) / max(1, len(p.elements)/2)
		for i := 0; i+1 < len(p.elements); i += 2 {
			at := i / 2 * each
			r, err := s.layout.pageRecord(p.elements[i], values[at:at+each])
			p.records[p.elements[i]] = loaded{r, err}
		}
	}
	p.server = answers[1]
	e, err := s.evicting(answers[1:4])
	if err != nil {
		return p, err
	}
	whole, err := answers[4].ToString()
	if unanswered(err) && !rueidis.IsRedisNil(err) {
		return p, err
	}
	p.trusted = err == nil && e.keeps(whole)
	return p, nil
}
