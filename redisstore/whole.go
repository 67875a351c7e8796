package redisstore

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// An owner's index can be lost: an operator deletes it, or the server evicts it. What is
// found by it is then not all there is, and nobody may take it for that. Two things prove
// that an index is whole. Its count, kept beside it, is how many entries it has; both
// missing are an owner without sessions. And a key says that all indexes were whole when all
// sessions were last looked through; as long as it is there, and the server evicts no keys
// that do not expire, an index and its count are not lost together. Where the proof is
// missing, sessions are looked for among all, and the indexes are written again.

// The sections of INFO that tell of a server's process and of what it evicts.
var infoSections = [...]string{"server", "memory", "stats"}

// The value of the key is certain, or where a server may evict indexes, what it had evicted
// by then.
const certain = "1"

// eviction is what a server may evict.
type eviction struct {
	indexes bool   // what does not expire, too, or it does not say
	soFar   string // what it has evicted; "" if that proves nothing
}

// evicting reads the answers to [infoSections].
func (s *Store) evicting(answers []rueidis.RedisResult) (e eviction, err error) {
	var text [len(infoSections)]string
	for i, answer := range answers {
		if text[i], err = answer.ToString(); unanswered(err) {
			return e, err
		}
	}
	policy := field(text[1], "maxmemory_policy")
	e.indexes = policy == "" || mayEvict(policy, field(text[1], "maxmemory"))
	if run, n := field(text[0], "run_id"), field(text[2], "evicted_keys"); run != "" && n != "" && !s.cluster {
		e.soFar = run + ":" + n
	}
	return e, nil
}

// mayEvict reports whether a server evicts keys that do not expire.
func mayEvict(policy, maxmemory string) bool {
	return strings.HasPrefix(policy, "allkeys-") && maxmemory != "0"
}

// keeps reports whether no index was evicted since the key got its value.
func (e eviction) keeps(whole string) bool {
	return whole == certain && !e.indexes || whole != "" && whole == e.soFar
}

// repair is a look through all sessions under way, if there is one.
type repair struct {
	mu      sync.Mutex
	running *lookThrough
}

type lookThrough struct {
	done chan struct{}
	err  error
}

// beginRebuild has all indexes written again, unless that is under way. It goes on if who
// waits for it gives up, so that it ends however many sessions there are.
func (s *Store) beginRebuild() *lookThrough {
	s.repair.mu.Lock()
	defer s.repair.mu.Unlock()
	if l := s.repair.running; l != nil {
		return l
	}
	l := &lookThrough{done: make(chan struct{})}
	if s.closed.Load() {
		l.err = store.ErrClosed
		close(l.done)
		return l
	}
	s.repair.running = l
	s.running.Go(func() {
		l.err = s.rebuild(s.life)
		s.repair.mu.Lock()
		s.repair.running = nil
		s.repair.mu.Unlock()
		close(l.done)
	})
	return l
}

// rebuilt waits until all indexes have been written again, and reads the owner's.
func (s *Store) rebuilt(ctx context.Context, owner string) (p indexPage, err error) {
	l := s.beginRebuild()
	select {
	case <-ctx.Done():
		return p, ctx.Err()
	case <-l.done:
	}
	if unanswered(l.err) { // else the server does not take the indexes: it is searched
		return p, l.err
	}
	return s.indexPage(ctx, owner, 0)
}

// rebuild writes the indexes of all sessions.
func (s *Store) rebuild(ctx context.Context) error {
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
		return true, s.listAgain(ctx, owners, true)
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

// relistScript adds entries to an index, whatever is left of that. Arguments: "1" if it is
// whole then, and pairs of score and id.
var relistScript = newScript(`
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local added = 0
for i = 2, #ARGV, 2 do added = added + redis.call('ZADD', KEYS[1], 'GT', ARGV[i], ARGV[i + 1]) end
if ARGV[1] == '1' then
	local n = redis.call('ZCARD', KEYS[1])
	if n > 0 then redis.call('SET', KEYS[2], n) else redis.call('DEL', KEYS[2]) end
elseif added > 0 then
	redis.pcall('INCRBY', KEYS[2], added)
end
return added`)

// listAgain adds sessions to the indexes of their owners.
func (s *Store) listAgain(ctx context.Context, owners map[string][]entry, whole bool) error {
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
		calls, cmds = append(calls, c), append(cmds, pinned(relistScript.byDigest(s.b, c.keys, c.args)))
	}
	if len(cmds) == 0 {
		return nil
	}
	var refused error
	for i, answer := range s.read(ctx, s.client, cmds) {
		err := answer.Error()
		if e, ok := rueidis.IsRedisErr(err); ok && e.IsNoScript() {
			err = s.eval(ctx, &relistScript, calls[i].keys, calls[i].args).Error()
		}
		if unanswered(err) {
			return err
		}
		refused = cmp.Or(refused, err)
	}
	return refused
}

// search yields the sessions of an owner whose index is not known to be whole, found among
// all, and writes the index again.
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
	// A server that takes no writes is no reason not to list.
	if err := s.listAgain(ctx, map[string][]entry{owner: found}, whole); unanswered(err) {
		return err
	}
	return nil
}
