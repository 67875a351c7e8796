package redisstore

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/batch"
)

// A script swaps that many sessions at most, of values of that many bytes: the server does
// nothing else meanwhile.
const (
	maxSwaps = 64
	maxValue = 16 << 10
)

// swap is an update of one session. Those that go together are one run of a script,
// which costs the server and rueidis about half of what as many runs do.
type swap struct {
	keys    []string // as [scripts] has them
	args    []string
	answer  rueidis.RedisResult // of a script that was run for this one alone
	outcome int64               // otherwise
	err     error
	shared  bool // the last two are meant
}

// swap replaces the version that the caller knows, and says what came of it. In a Cluster
// whose sessions have no common hash tag each goes by itself; so does a long value, and with connect-redis's layout what has an
// owner, since its index is written each time.
func (w *writing) swap(ctx context.Context) (outcome int64, err error) {
	sc := &w.s.layout.scripts().swap
	if w.s.spread || len(w.args[0]) > maxValue || w.s.config.Express && w.listed {
		return w.run(ctx, sc)
	}
	sw, ok := w.s.swaps.Do(ctx, swap{keys: w.scriptKeys(), args: w.args[:]})
	switch {
	case !ok:
		return 0, ctx.Err()
	case !sw.shared:
		return w.outcome(sw.answer)
	case sw.err == nil && sw.outcome == apart:
		return w.run(ctx, sc)
	}
	return sw.outcome, sw.err
}

// swapping is the line of updates.
func (s *Store) swapping(client rueidis.Client) *batch.Queue[swap] {
	swapAll := func(ctx context.Context, all []*swap) { s.swapAll(ctx, client, all) }
	return &batch.Queue[swap]{Send: swapAll, MaxInFlight: maxInFlight, MaxCalls: maxSwaps}
}

func (s *Store) swapAll(ctx context.Context, client rueidis.Client, all []*swap) {
	send := func(cmd rueidis.Completed) rueidis.RedisResult {
		return send(ctx, client, false, rueidis.Commands{cmd})[0]
	}
	if len(all) == 1 {
		all[0].answer = s.layout.scripts().swap.run(s.b, all[0].keys, all[0].args, send)
		return
	}
	// The script reads all before it writes: of several swaps of one session, all but the
	// first are for later.
	sent := make(map[string]bool, len(all))
	first := all[:0:0]
	keys, args := make([]string, 0, len(all)), make([]string, 0, 4*len(all)+3)
	for _, sw := range all {
		sw.shared, sw.outcome = true, apart
		if key := sw.keys[0]; !sent[key] {
			sent[key] = true
			first = append(first, sw)
			keys = append(keys, key)
			args = append(args, sw.args[0], sw.args[1], sw.args[5], sw.args[6])
		}
	}
	args = append(args, s.indexes, s.counts, number(int64(len(s.config.Prefix))))
	left, err := s.layout.scripts().swaps.run(s.b, keys, args, send).AsIntSlice()
	if isTryAgain(err) {
		return // one by one
	}
	for _, sw := range first {
		sw.outcome, sw.err = done, err
	}
	for i := 0; i+1 < len(left); i += 2 {
		first[left[i]-1].outcome = left[i+1]
	}
}
