package stores

import (
	"context"
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

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// What three nodes do together: of a hundred requests, five change the session, and each
// goes to any node and is about any session.
const (
	nearNodes    = 3
	nearSessions = 2000
	nearWrites   = 5
)

// site are some nodes on a Redis of their own.
type site struct {
	name     string
	server   *servers.Redis
	read     []http.HandlerFunc // of each node
	write    []http.HandlerFunc
	near     []*nearcache.Cache // of each node, if they have one
	requests []*http.Request    // about each session
}

func (s *site) add(tb testing.TB, login, read, write http.HandlerFunc) {
	tb.Helper()
	s.read, s.write = append(s.read, read), append(s.write, write)
	for len(s.requests) < nearSessions {
		w := &writer{header: http.Header{}}
		login(w, newRequest(""))
		sent := (&http.Response{Header: w.header}).Cookies()
		if len(sent) != 1 {
			tb.Fatalf("%s: login sent %d cookies", s.name, len(sent))
		}
		s.requests = append(s.requests, newRequest(sent[0].Name+"="+sent[0].Value))
	}
}

// newSites are the contenders.
func newSites(tb testing.TB) []*site {
	tb.Helper()
	var all []*site
	for _, name := range []string{"nest, near cache", "nest", "scs, goredisstore"} {
		s := &site{name: name, server: servers.StartRedis(tb, servers.RedisOptions{})}
		all = append(all, s)
		for range nearNodes {
			switch name {
			case "scs, goredisstore":
				client := redis.NewClient(&redis.Options{Addr: s.server.Addr(), PoolSize: connections})
				tb.Cleanup(func() { client.Close() })
				login, read, write := scsHandlers(goredisstore.New(client))
				s.add(tb, login, read, write)
			case "nest":
				r, err := redisstore.New(tb.Context(), redisstore.Config{Client: newRueidis(tb, s.server.Addr())})
				if err != nil {
					tb.Fatal(err)
				}
				tb.Cleanup(func() { r.Close() })
				login, read, write := nestHandlers(newManager(tb, r))
				s.add(tb, login, read, write)
			default:
				r, err := redisstore.Open(tb.Context(), rueidis.ClientOption{InitAddress: []string{s.server.Addr()}}, redisstore.Config{})
				if err != nil {
					tb.Fatal(err)
				}
				tb.Cleanup(func() { r.Close() })
				n, err := nearcache.New(r, nearcache.Config{})
				if err != nil {
					tb.Fatal(err)
				}
				tb.Cleanup(func() { n.Close() })
				s.near = append(s.near, n)
				login, read, write := nestHandlers(newManager(tb, n))
				s.add(tb, login, read, write)
			}
		}
	}
	return all
}

func newManager(tb testing.TB, s store.Store) *session.Manager[Account] {
	tb.Helper()
	m, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of thirty-two bytes, ok"},
		Store:   s,
		Cookie:  session.Cookie{MaxAge: idle, Secure: session.SecureAuto},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

// scsHandlers are scs's without an idle timeout, the quickest that it has.
func scsHandlers(s scs.Store) (login, read, write http.HandlerFunc) {
	m := scs.New()
	m.Store, m.Codec, m.Lifetime = s, typedCodec{}, lifetime
	handler := func(do func(ctx context.Context) (ok bool)) http.HandlerFunc {
		return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !do(r.Context()) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})).ServeHTTP
	}
	login = handler(func(ctx context.Context) bool {
		account := newAccount()
		m.Put(ctx, "account", &account)
		return m.RenewToken(ctx) == nil
	})
	read = handler(func(ctx context.Context) bool {
		a, ok := m.Get(ctx, "account").(*Account)
		return ok && a.User.ID == 482_113
	})
	write = handler(func(ctx context.Context) bool {
		a, ok := m.Get(ctx, "account").(*Account)
		if ok {
			a.Visits++
			m.Put(ctx, "account", a)
		}
		return ok
	})
	return login, read, write
}

// mixed is what a site did in a turn.
type mixed struct {
	reads, writes int
	took          time.Duration
	commands      map[string]int // that Redis was sent, and those within scripts
	missed        int            // reads of sessions that the near caches passed on
	spent         time.Duration  // of processors' time, by the nodes and by Redis
}

// readCommands are the commands that reading cost: all, but for those that write, those
// that scripts run, and the look that a store that was opened takes at each write of its
// own when Redis tells of it, all of which are GETs that no near cache has asked for.
func (m mixed) readCommands(near bool) int {
	n := m.commands["get"] + m.commands["ping"]
	if near {
		n = m.missed + m.commands["ping"]
	}
	return n
}

func (m mixed) all() (n int) {
	for name, calls := range m.commands {
		if name != "getrange" && name != "info" && (name != "set" || m.commands["evalsha"] == 0) {
			n += calls
		}
	}
	return n
}

func (s *site) missed() (n int) {
	for _, c := range s.near {
		n += int(c.Stats().Misses)
	}
	return n
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
				h, count := s.read[node], &reads
				if rand.IntN(100) < nearWrites {
					h, count = s.write[node], &writes
				}
				clear(w.header)
				w.status = 0
				if h(w, s.requests[who]); w.status != http.StatusNoContent {
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
			costs[name] = append(costs[name], float64(m.readCommands(sites[i].near != nil))/float64(m.reads))
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
