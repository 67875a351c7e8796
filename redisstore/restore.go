package redisstore

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// An owner's index can be lost: an operator deletes it, or the server evicts it. A listing by
// it would then silently miss sessions. Two facts prove that an index is whole. The count
// beside it equals the number of its entries; an owner who has neither index nor count has
// no sessions. And the key wholeKey says that all indexes were whole when all sessions were
// last read. While that key exists, and the server evicts no keys without an expiry, an
// index and its count are not lost together. Without this proof a listing reads all
// sessions, and the indexes are written again.

// infoSections are the sections of INFO about a server's process and what it evicts.
var infoSections = [...]string{"server", "memory", "stats"}

// certain is the value of wholeKey. Where a server may evict indexes, the value is what the
// server had evicted by then instead.
const certain = "1"

// eviction is what a server may evict.
type eviction struct {
	indexes bool   // it may evict keys without an expiry, or does not report it
	soFar   string // what it has evicted; "" if that proves nothing
}

// evicting decodes the answers to [infoSections].
func (s *Store) evicting(answers []rueidis.RedisResult) (e eviction, err error) {
	var text [len(infoSections)]string
	for i, answer := range answers {
		if text[i], err = answer.ToString(); unanswered(err) {
			return e, err
		}
	}
	policy := field(text[1], "maxmemory_policy")
	e.indexes = policy == "" || mayEvict(policy, field(text[1], "maxmemory"))
	e.soFar = s.topology.evictions(field(text[0], "run_id"), field(text[2], "evicted_keys"))
	return e, nil
}

// mayEvict reports whether a server may evict keys without an expiry.
func mayEvict(policy, maxmemory string) bool {
	return strings.HasPrefix(policy, "allkeys-") && maxmemory != "0"
}

// keeps reports whether no index was evicted since wholeKey got its value.
func (e eviction) keeps(whole string) bool {
	return whole == certain && !e.indexes || whole != "" && whole == e.soFar
}

// restoring is the restoration that is under way, if there is one.
type restoring struct {
	mu      sync.Mutex
	running *restoration
}

type restoration struct {
	done chan struct{}
	err  error
}

// beginRestore begins to write all indexes again, unless that is under way. It goes on when the
// callers that wait for it give up, so it ends however many sessions there are.
func (s *Store) beginRestore() *restoration {
	s.restoring.mu.Lock()
	defer s.restoring.mu.Unlock()
	if l := s.restoring.running; l != nil {
		return l
	}
	l := &restoration{done: make(chan struct{})}
	if s.closed.Load() {
		l.err = store.ErrClosed
		close(l.done)
		return l
	}
	s.restoring.running = l
	s.running.Go(func() {
		l.err = s.restore(s.life)
		s.restoring.mu.Lock()
		s.restoring.running = nil
		s.restoring.mu.Unlock()
		close(l.done)
	})
	return l
}

// restored waits until all indexes have been written again, and reads the owner's.
func (s *Store) restored(ctx context.Context, owner string) (p indexPage, err error) {
	l := s.beginRestore()
	select {
	case <-ctx.Done():
		return p, ctx.Err()
	case <-l.done:
	}
	if unanswered(l.err) { // else the server refuses the indexes, and the caller searches all sessions
		return p, l.err
	}
	return s.indexPage(ctx, owner, 0)
}

// restore writes the indexes of all sessions.
func (s *Store) restore(ctx context.Context) error {
	var cmds rueidis.Commands
	for _, section := range infoSections {
		cmds = append(cmds, pinned(s.b.Arbitrary("INFO", section).Build()))
	}
	e, err := s.evicting(s.read(ctx, s.client, cmds))
	if err != nil {
		return err
	}
	err = s.eachRecord(ctx, func(records []store.Record) (bool, error) {
		owners := map[string][]entry{}
		for _, r := range records {
			if r.Owner != "" {
				owners[r.Owner] = append(owners[r.Owner], entry{r.ID, milli(r.Expires)})
			}
		}
		return true, s.restoreIndexes(ctx, owners, true)
	})
	whole := certain
	if e.indexes {
		whole = e.soFar
	}
	if err != nil || whole == "" {
		return err
	}
	return s.do(ctx, s.client, s.b.Set().Key(s.wholeKey()).Value(whole).Build()).Error()
}

// restoreIndexes adds sessions to the indexes of their owners. They are all sessions of these
// owners if whole is set.
func (s *Store) restoreIndexes(ctx context.Context, owners map[string][]entry, whole bool) error {
	type call struct{ keys, args []string }
	var calls []call
	var cmds rueidis.Commands
	for owner, entries := range owners {
		c := call{[]string{s.ownerKey(owner), s.countKey(owner)}, []string{"0"}}
		if whole {
			c.args[0] = "1"
		}
		for _, e := range entries {
			c.args = append(c.args, number(e.score), e.id)
		}
		calls, cmds = append(calls, c), append(cmds, pinned(indexRestoreScript.byDigest(s.b, c.keys, c.args)))
	}
	if len(cmds) == 0 {
		return nil
	}
	var refused error
	for i, answer := range s.read(ctx, s.client, cmds) {
		err := answer.Error()
		if isNoScript(err) {
			err = s.eval(ctx, &indexRestoreScript, calls[i].keys, calls[i].args).Error()
		}
		if unanswered(err) {
			return err
		}
		refused = cmp.Or(refused, err)
	}
	return refused
}

// search reads all sessions, yields those of an owner whose index is not known to be whole, and
// writes that index again.
func (s *Store) search(ctx context.Context, owner string, lost bool, yield func(store.Record) bool) error {
	if lost {
		s.warnLost.Do(func() {
			s.config.Logger.WarnContext(ctx, "redisstore: the index of an owner's sessions was lost or changed by another program; it was written again from all sessions")
		})
	}
	var found []entry
	whole := true
	err := s.eachRecord(ctx, func(records []store.Record) (bool, error) {
		for _, r := range records {
			if r.Owner != owner {
				continue
			}
			found = append(found, entry{r.ID, milli(r.Expires)})
			if whole = yield(r); !whole {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	// The sessions are listed even if the server takes no writes.
	if err := s.restoreIndexes(ctx, map[string][]entry{owner: found}, whole); unanswered(err) {
		return err
	}
	return nil
}
