package stores

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
)

// mixed is what a site did in a turn.
type mixed struct {
	reads, writes int
	took          time.Duration
	commands      map[string]int // that Redis was sent, and those within scripts
	missed        int            // what near caches have asked for the sake of reads
	spent         time.Duration  // of CPU time, by the nodes and by Redis
}

// readCommands are the commands that reading cost. Without near caches those are the reads'
// part of the GETs and MGETs: who writes reads first. With them, those are the loads that
// they ask for on behalf of requests that only read, although several may go in one MGET,
// and all heartbeats. The others are the writes': EVALSHA, and the load by which a store
// that was opened reads each of its own writes again when Redis reports it.
func (m mixed) readCommands(near bool) float64 {
	if near {
		return float64(m.missed + m.commands["ping"])
	}
	sent := m.commands["get"] + m.commands["mget"] - m.together()
	return float64(sent) * float64(m.reads) / float64(m.reads+m.writes)
}

// together are the runs of the script for many updates, each with an MGET in it; that for
// one has a GETRANGE.
func (m mixed) together() int { return m.commands["evalsha"] - m.commands["getrange"] }

// all are the commands that Redis was sent, those within scripts not included.
func (m mixed) all() (n int) {
	for name, calls := range m.commands {
		if name != "getrange" && name != "info" && (name != "set" || m.commands["evalsha"] == 0) {
			n += calls
		}
	}
	return n - m.together()
}

func (s *site) missed() int {
	if s.loads == nil {
		return 0
	}
	return int(s.loads.forReads.Load())
}

// turn lets the callers work for as long.
func (s *site) turn(tb testing.TB, callers int, d time.Duration) mixed {
	tb.Helper()
	before, missed := commandStats(tb, s.server), s.missed()
	uses := processes{own: true, pids: []int{s.server.PID()}}
	used := uses.cpu()
	var reads, writes atomic.Int64
	var over atomic.Bool
	timer := time.AfterFunc(d, func() { over.Store(true) })
	defer timer.Stop()
	begun := time.Now()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			w := &writer{header: http.Header{}}
			for !over.Load() {
				node, who := rand.IntN(nearNodes), rand.IntN(nearSessions)
				h, r, count := s.read[node], s.requests[who], &reads
				if rand.IntN(100) < nearWrites {
					h, r, count = s.write[node], s.changes[who], &writes
				}
				clear(w.header)
				w.status = 0
				if h(w, r); w.status != http.StatusNoContent {
					tb.Errorf("%s: status %d", s.name, w.status)
					return
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	m := mixed{
		reads: int(reads.Load()), writes: int(writes.Load()), took: time.Since(begun), spent: uses.cpu() - used,
		commands: commandStats(tb, s.server), missed: s.missed() - missed,
	}
	for name := range m.commands {
		m.commands[name] -= before[name]
	}
	return m
}

// commandStats is how often each command was called, those within scripts included.
func commandStats(tb testing.TB, server *servers.Redis) map[string]int {
	tb.Helper()
	info, err := server.Do(tb.Context(), "INFO", "commandstats")
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]int{}
	for line := range strings.Lines(fmt.Sprint(info)) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		n, _, _ := strings.Cut(rest, ",")
		if calls, err := strconv.Atoi(n); ok && err == nil {
			all[name] = calls
		}
	}
	return all
}

var nearTurn = flag.Duration("near", 0, "how long each site of three nodes works in a turn; 0: a moment, to see that it works")

// TestNear compares three nodes with near caches on one Redis with three without, and
// with three of scs's; with -near it prints the table, and holds the near caches to the
// bars: three times the requests of scs, and a tenth of a Redis command a read.
func TestNear(t *testing.T) {
	sites := newSites(t)
	d, n := *nearTurn, *turns
	if d == 0 {
		d, n = 50*time.Millisecond, 1
	}
	rates, costs := map[string][]float64{}, map[string][]float64{}
	sums := make([]mixed, len(sites))
	for turn := range n + 1 {
		for i := range sites {
			i := (i + turn) % len(sites)
			m := sites[i].turn(t, maxCallers, d)
			if turn == 0 {
				continue // to warm up
			}
			name := sites[i].name
			rates[name] = append(rates[name], float64(m.reads+m.writes)/m.took.Seconds())
			costs[name] = append(costs[name], m.readCommands(sites[i].loads != nil)/float64(m.reads))
			sums[i].reads, sums[i].writes = sums[i].reads+m.reads, sums[i].writes+m.writes
			sums[i].spent += m.spent
			if sums[i].commands == nil {
				sums[i].commands = map[string]int{}
			}
			for c, calls := range m.commands {
				sums[i].commands[c] += calls
			}
		}
	}
	if *nearTurn == 0 {
		return
	}
	for i, s := range sites {
		var faster []float64
		for turn, r := range rates[s.name] {
			faster = append(faster, rates[sites[0].name][turn]/r)
		}
		requests := float64(sums[i].reads + sums[i].writes)
		fmt.Printf("| %s | %.0f | %.2f (%.2f–%.2f) | %.3f | %.3f | %.1f µs |\n", s.name, quantile(rates[s.name], 0.5),
			quantile(faster, 0.5), quantile(faster, 0.25), quantile(faster, 0.75), quantile(costs[s.name], 0.5),
			float64(sums[i].all())/requests, float64(sums[i].spent.Nanoseconds())/requests/1000)
		if i == len(sites)-1 && quantile(faster, 0.5) < 3 {
			t.Errorf("%.2f times the requests of %s, want 3", quantile(faster, 0.5), s.name)
		}
	}
	if cost := quantile(costs[sites[0].name], 0.5); cost >= 0.1 {
		t.Errorf("%.3f Redis commands a read, want fewer than 0.1", cost)
	}
}
