package pgxstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/tests/internal/relay"
)

// site is a node that writes, and one that reads through a cache and connects to the server
// through a proxy.
type site struct {
	server *servers.Postgres
	dsn    string
	proxy  *relay.Relay
	writer *pgxstore.Store
	reader *pgxstore.Store
	near   *nearcache.Cache
	watch  *recorder
	stale  time.Duration
}

func newSite(t *testing.T, heartbeat, stale time.Duration) *site {
	t.Helper()
	server := servers.StartPostgres(t, servers.PostgresOptions{})
	s := &site{server: server, dsn: server.NewDatabase(t), stale: stale}
	s.proxy = relay.New(t, server.Addr())
	c := pgxstore.Config{Create: true, Heartbeat: heartbeat}
	s.writer = newStore(t, newPool(t, s.dsn), c)
	s.reader = newStore(t, newPool(t, s.proxy.Through(s.dsn), "&pool_max_conns=3"), c)
	s.near = cached(t, s.reader, nearcache.Config{MaxStale: stale})
	w, ok := store.As[store.Watcher](s.near)
	if !ok {
		t.Fatal("the cache cannot be watched")
	}
	s.watch = listenTo(t, w)
	return s
}

// backend is the process id of the connection that listens for the reader.
func (s *site) backend(t *testing.T) int {
	t.Helper()
	var pid int
	eventually(t, "one connection that listens", func() bool {
		text := s.server.Exec(t, "postgres", "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE (query LIKE '%txid_snapshot_xip%' OR query LIKE 'SELECT concat_ws%') AND query NOT LIKE '%pg_stat_activity%'")
		n, err := strconv.Atoi(text)
		pid = n
		return err == nil
	})
	return pid
}

// The connection that listens breaks, in several ways, while another node writes. No read is
// older than MaxStale, and everything works again without help.
func TestStaleness(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(t *testing.T, s *site) (mend func()){
		"cut": func(t *testing.T, s *site) func() {
			s.proxy.Cut()
			return func() {}
		},
		"terminated": func(t *testing.T, s *site) func() {
			s.server.Exec(t, "postgres", fmt.Sprintf("SELECT pg_terminate_backend(%d)", s.backend(t)))
			return func() {}
		},
		"half-open": func(t *testing.T, s *site) func() {
			s.proxy.Silence(true)
			return s.proxy.Heal
		},
		"listener frozen": func(t *testing.T, s *site) func() {
			pid := s.backend(t)
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			return func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
		},
		"server frozen": func(t *testing.T, s *site) func() {
			s.server.Freeze()
			return s.server.Thaw
		},
		"server restarted": func(t *testing.T, s *site) func() {
			s.server.Restart()
			return func() {}
		},
		"server killed": func(t *testing.T, s *site) func() {
			s.server.Kill()
			return s.server.Restart
		},
		"trigger gone": func(t *testing.T, s *site) func() {
			exec(t, newPool(t, s.dsn), "DROP TRIGGER nest_watch ON nest_sessions")
			return func() { newStore(t, newPool(t, s.dsn), pgxstore.Config{Create: true}) }
		},
		"trigger disabled for a while": func(t *testing.T, s *site) func() {
			pool := newPool(t, s.dsn)
			exec(t, pool, "ALTER TABLE nest_sessions DISABLE TRIGGER nest_watch")
			return func() { exec(t, pool, "ALTER TABLE nest_sessions ENABLE TRIGGER nest_watch") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, 100*time.Millisecond, 600*time.Millisecond)
			h := newHistory(t, s.writer)
			stop := h.run(t, s)
			h.reads(t, s, "before", 0)

			lost := s.watch.missed()
			mend := fault(t, s)
			wait(t, 3*s.stale)
			mend()
			eventually(t, "a heartbeat after it", func() bool { return s.watch.wholeSince(time.Now().Add(-s.stale)) })
			h.reads(t, s, "after", lost)
			eventually(t, "a hundred answers that were checked", func() bool { return h.answers() >= 100 })
			stop()
			h.quick(t, s)
		})
	}
}

// history is the writes of a session, and what a reader saw of them.
type history struct {
	r       store.Record
	mu      sync.Mutex
	written []time.Time // [n]: when the writing of n was answered
	read    int
	highest int
}

func newHistory(t *testing.T, s store.Store) *history {
	r := record("counter")
	r.Data = []byte(`{"n":0}`)
	return &history{r: create(t, s, r), written: []time.Time{time.Now()}}
}

// run writes and reads until stop is called.
func (h *history) run(t *testing.T, s *site) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			h.write(ctx, s.writer)
			wait(t, 3*time.Millisecond)
		}
	})
	for range 2 {
		all.Go(func() {
			for ctx.Err() == nil {
				h.look(ctx, t, s)
				wait(t, time.Millisecond)
			}
		})
	}
	stop = func() {
		cancel()
		all.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// write writes the next number. A write that failed may have taken effect.
func (h *history) write(ctx context.Context, s store.Store) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := s.Load(ctx, h.r.ID)
	if err != nil {
		return
	}
	var is struct{ N int }
	_ = json.Unmarshal(r.Data, &is)
	r.Data = fmt.Appendf(nil, `{"n":%d}`, is.N+1)
	if _, err := s.Update(ctx, r); err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.written) <= is.N+1 {
		h.written = append(h.written, time.Now())
	}
}

// look reads through the cache, and checks that the record is new enough.
func (h *history) look(ctx context.Context, t *testing.T, s *site) {
	ctx, cancel := context.WithTimeout(ctx, s.stale/2)
	defer cancel()
	h.mu.Lock()
	highest := h.highest
	h.mu.Unlock()
	asked := time.Now()
	r, err := s.near.Load(ctx, h.r.ID)
	if err != nil {
		return // no answer is no old answer
	}
	var is struct{ N int }
	_ = json.Unmarshal(r.Data, &is)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.read++
	if is.N+1 < len(h.written) && asked.Sub(h.written[is.N+1]) > s.stale {
		t.Errorf("read %d, which was overwritten %v before", is.N, asked.Sub(h.written[is.N+1]))
	}
	if is.N < highest {
		t.Errorf("read %d after %d", is.N, highest)
	}
	h.highest = max(h.highest, is.N)
}

func (h *history) answers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.read
}

// reads waits until the reader sees new writes.
func (h *history) reads(t *testing.T, s *site, when string, lost int) {
	t.Helper()
	h.mu.Lock()
	target := len(h.written)
	h.mu.Unlock()
	eventually(t, "new answers "+when+" the fault", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.highest > target
	})
	if got := s.watch.missed(); got <= lost {
		t.Errorf("%s the fault: watchers got %d events to recheck everything, want more than %d", when, got, lost)
	}
}

// quick checks that while the connection works, a session is read from memory for longer
// than MaxStale, and that its change is seen nevertheless.
func (h *history) quick(t *testing.T, s *site) {
	t.Helper()
	ctx := context.Background()
	if _, err := s.near.Load(ctx, h.r.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "answers without the store", func() bool {
		before := s.near.Stats()
		for range 20 {
			wait(t, s.stale/10)
			if _, err := s.near.Load(ctx, h.r.ID); err != nil {
				t.Fatal(err)
			}
		}
		return s.near.Stats().Misses == before.Misses
	})
	r, err := s.writer.Load(ctx, h.r.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.Data = []byte(`{"n":-1}`)
	if _, err := s.writer.Update(ctx, r); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the change", func() bool {
		r, err := s.near.Load(ctx, h.r.ID)
		return err == nil && string(r.Data) == `{"n":-1}`
	})
}
