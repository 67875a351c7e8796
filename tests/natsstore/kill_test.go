package natsstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/storetest"
	"github.com/nestsession/session/store/storetest/linear"
	"github.com/nestsession/session/tests/internal/natsserver"
)

// dial connects to the servers, to the first one that answers.
func dial(t testing.TB, all ...*servers.NATS) *nats.Conn {
	t.Helper()
	var urls []string
	for _, s := range all {
		urls = append(urls, s.URL())
	}
	conn, err := nats.Connect(strings.Join(urls, ","), append(natsstore.Options(), nats.DontRandomize(), nats.IgnoreDiscoveredServers())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// dialEach makes a connection for each server, which goes to the others while that one is down.
func dialEach(t testing.TB, all []*servers.NATS) (conns []*nats.Conn) {
	t.Helper()
	for i := range all {
		conns = append(conns, dial(t, append(append([]*servers.NATS{}, all[i:]...), all[:i]...)...))
	}
	return conns
}

// history is what a client was told about the session that it changes.
type history struct {
	id             string
	acked, sent    int // the numbers of the last save that was acknowledged, and that was sent
	created, ended bool
	endSent        bool
	version        store.Version // of the last save that was acknowledged
	at             time.Time     // when that was
}

// saving is a crowd of clients that save sessions and end them until it is stopped.
type saving struct {
	conns  []*nats.Conn // one for each store
	stores []*natsstore.Store
	stop   context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	all  []*history
	sum  int
	more chan struct{}
}

func startSaving(t testing.TB, conns []*nats.Conn, stores []*natsstore.Store) *saving {
	ctx, stop := context.WithCancel(context.Background())
	c := &saving{conns: conns, stores: stores, stop: stop, more: make(chan struct{}, 1)}
	for i := range 6 {
		c.wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				c.one(ctx, stores[(i+n)%len(stores)], fmt.Sprintf("client%d-%d", i, n))
			}
		})
	}
	t.Cleanup(func() { c.stop(); c.wg.Wait() })
	return c
}

// one is the life of a session: it is created, saved some times, and each second one is deleted.
func (c *saving) one(ctx context.Context, s *natsstore.Store, id string) {
	h := &history{id: id}
	c.mu.Lock()
	c.all = append(c.all, h)
	c.mu.Unlock()
	call := func(f func(ctx context.Context) error) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		return f(ctx)
	}
	r := store.Record{ID: id, Owner: "crowd", Data: []byte("0"), Expires: in(time.Hour)}
	err := call(func(ctx context.Context) (err error) {
		r.Version, err = s.Create(ctx, r)
		return err
	})
	if err != nil {
		return
	}
	c.acked(func() { h.created, h.version, h.at = true, r.Version, time.Now() })
	for n := 1; n <= 10; n++ {
		h.sent = n
		r.Data = fmt.Append(nil, n)
		err := call(func(ctx context.Context) error {
			v, err := s.Update(ctx, r)
			if err == nil {
				r.Version = v
			}
			return err
		})
		if err != nil {
			return
		}
		c.acked(func() { h.acked, h.version, h.at = n, r.Version, time.Now() })
	}
	if strings.HasSuffix(id, "1") || strings.HasSuffix(id, "3") || strings.HasSuffix(id, "5") {
		h.endSent = true
		if call(func(ctx context.Context) error { return s.Delete(ctx, id) }) == nil {
			c.acked(func() { h.ended = true })
		}
	}
}

func (c *saving) acked(note func()) {
	c.mu.Lock()
	note()
	c.sum++
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// waitFor returns when so many more saves have been acknowledged.
func (c *saving) waitFor(t testing.TB, n int) {
	t.Helper()
	c.mu.Lock()
	want := c.sum + n
	c.mu.Unlock()
	eventually(t, fmt.Sprint(n, " more saves"), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.sum >= want
	})
}

// check ends the crowd and compares what each store has with what the clients were told.
func (c *saving) check(t testing.TB) {
	t.Helper()
	c.stop()
	c.wg.Wait()
	for _, s := range c.stores {
		listed := map[string]bool{}
		for r, err := range s.List(t.Context(), "crowd") {
			if err != nil {
				t.Fatal(err)
			}
			listed[r.ID] = true
		}
		for _, h := range c.all {
			r, err := s.Load(t.Context(), h.id)
			switch {
			case errors.Is(err, store.ErrNotFound):
				if h.created && !h.endSent {
					_, again := s.Load(t.Context(), h.id)
					t.Errorf("%s is lost, whose save %d was acknowledged at %v with version %d; listed under its owner: %v; another load: %v%s",
						h.id, h.acked, h.at.Format(time.RFC3339Nano), h.version, listed[h.id], again, c.held(h))
				}
				continue
			case err != nil:
				t.Fatal(err)
			case h.ended:
				t.Errorf("%s is back, whose end was acknowledged", h.id)
			}
			var n int
			if _, err := fmt.Sscan(string(r.Data), &n); err != nil || n < h.acked || n > h.sent {
				t.Errorf("%s has save %q with version %d; %d was acknowledged at %v with version %d, and %d sent%s",
					h.id, r.Data, r.Version, h.acked, h.at.Format(time.RFC3339Nano), h.version, h.sent, c.held(h))
			}
			if !listed[h.id] {
				t.Errorf("%s is not listed under its owner", h.id)
			}
		}
	}
	t.Logf("%d sessions, %d saves acknowledged", len(c.all), c.sum)
}

// held says what each server has at the session's last sequence, and what it has of the session now.
func (c *saving) held(h *history) string {
	var b strings.Builder
	for i, conn := range c.conns {
		fmt.Fprintf(&b, "; server %d:", i)
		for _, question := range []string{
			fmt.Sprintf(`{"seq":%d}`, h.version),
			fmt.Sprintf(`{"last_by_subj":"$KV.%s.id.i%s"}`, natsstore.DefaultBucket, h.id),
		} {
			m, err := conn.Request("$JS.API.DIRECT.GET.KV_"+natsstore.DefaultBucket, []byte(question), 2*time.Second)
			if err != nil {
				fmt.Fprintf(&b, " %s has %v", question, err)
				continue
			}
			fmt.Fprintf(&b, " %s has %v", question, m.Header)
		}
	}
	return b.String()
}

// restart starts servers that have ended at the same time, because one alone has no majority.
func restart(t testing.TB, all ...*servers.NATS) {
	t.Helper()
	for _, s := range all {
		s.Restart()
	}
}

// working waits until the store loads and saves.
func working(t testing.TB, s *natsstore.Store) {
	t.Helper()
	eventually(t, "the store works", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return s.Ping(ctx) == nil
	})
}

// Servers are killed in the middle of saves. With each setting, what was acknowledged is there
// afterwards if the setting promises it.
func TestKilled(t *testing.T) {
	t.Parallel()
	killed(t, false)
}

// TestLongKilled: the other settings.
func TestLongKilled(t *testing.T) {
	t.Parallel()
	killed(t, true)
}

func killed(t *testing.T, long bool) {
	for name, c := range map[string]struct {
		servers int
		config  natsstore.Config
		sync    bool
		kills   []int // how many servers, one time after the other
		empty   bool  // the killed servers come back without a disk
		loses   bool  // what was acknowledged may be lost
		long    bool
	}{
		"one server, on disk":                      {servers: 1, config: natsstore.Config{Replicas: 1}, kills: []int{1}},
		"one server, synced":                       {servers: 1, config: natsstore.Config{Replicas: 1}, kills: []int{1, 1}, sync: true, long: true},
		"three, on disk":                           {servers: 3, config: natsstore.Config{Replicas: 3}, kills: []int{1, 2}},
		"three, on disk, all killed":               {servers: 3, config: natsstore.Config{Replicas: 3}, kills: []int{3, 2, 3}, long: true},
		"three, synced":                            {servers: 3, config: natsstore.Config{Replicas: 3}, kills: []int{1, 2, 3}, sync: true, long: true},
		"three, in memory":                         {servers: 3, config: natsstore.Config{Replicas: 3, Memory: true}, kills: []int{1, 1}},
		"three, in memory, two killed":             {servers: 3, config: natsstore.Config{Replicas: 3, Memory: true}, kills: []int{2}, loses: true, long: true},
		"three, on disk, and one disk is replaced": {servers: 3, config: natsstore.Config{Replicas: 3}, kills: []int{1, 1}, empty: true, long: true},
	} {
		if c.long != long {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := natsserver.Start(t, c.servers, servers.NATSOptions{Password: "a password", SyncAlways: c.sync})
			watching := dial(t, all...)
			conns := dialEach(t, all)
			var stores []*natsstore.Store
			for _, conn := range conns {
				c.config.Conn = conn
				stores = append(stores, newStore(t, c.config))
			}
			crowd := startSaving(t, conns, stores)
			for round, kill := range c.kills {
				crowd.waitFor(t, 100)
				// A session that the crowd does not know: what is asked without a majority may take effect later.
				asked := store.Record{ID: fmt.Sprint("asked", round), Expires: in(time.Hour)}
				if _, err := stores[0].Create(t.Context(), asked); err != nil {
					t.Fatal(err)
				}
				var killed []*servers.NATS
				for i := range kill {
					s := all[(round+i)%len(all)]
					s.Kill()
					killed = append(killed, s)
				}
				if c.servers == 3 && kill == 1 {
					crowd.waitFor(t, 50) // the two others go on
				} else if c.servers == 3 && kill == 2 {
					noAnswers(t, stores[0], asked.ID)
				}
				if c.empty {
					killed[0].Empty()
				}
				restart(t, killed...)
				for _, s := range stores {
					working(t, s)
				}
				if c.empty || c.config.Memory {
					// Until it has copied the sessions, it counts as lost.
					eventually(t, "the server has caught up", func() bool { return current(t, watching) })
				}
				crowd.waitFor(t, 50)
			}
			if !c.loses {
				crowd.check(t)
			}
		})
	}
}

// A server that starts after SIGKILL serves a former message of a subject again if the message that replaced it has
// expired. That message never is a session that has ended.
func TestLongEndedStaysEnded(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			all := natsserver.Start(t, n, servers.NATSOptions{Password: "a password"})
			conn := dial(t, all...)
			var stores []*natsstore.Store
			for _, conn := range dialEach(t, all) {
				stores = append(stores, newStore(t, natsstore.Config{Conn: conn}))
			}
			s, r := stores[0], store.Record{ID: "ended", Owner: "user:42", Expires: in(time.Hour)}
			for _, id := range []string{"lives", "ended"} {
				r.ID = id
				var err error
				if r.Version, err = s.Create(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Update(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if err := s.Delete(t.Context(), "ended"); err != nil {
				t.Fatal(err)
			}

			// What another program deletes, with a marker for a minute, shows when the servers remove such markers.
			js, err := jetstream.New(conn)
			if err != nil {
				t.Fatal(err)
			}
			other := "$KV." + natsstore.DefaultBucket + ".other"
			for _, m := range []*nats.Msg{
				{Subject: other, Data: []byte("a value")},
				{Subject: other, Header: nats.Header{"KV-Operation": {"DEL"}, "Nats-TTL": {"62s"}}},
			} {
				if _, err := js.PublishMsg(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			last := func() error {
				stream, err := js.Stream(t.Context(), "KV_"+natsstore.DefaultBucket)
				if err == nil {
					_, err = stream.GetLastMsgForSubject(t.Context(), other)
				}
				return err
			}
			eventually(t, "the other marker is gone", func() bool { return errors.Is(last(), jetstream.ErrMsgNotFound) })

			for _, s := range all {
				s.Kill()
			}
			restart(t, all...)
			for _, s := range stores {
				working(t, s)
				if r, err := s.Load(t.Context(), "ended"); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("a session that has ended is back: %v, %v", r, err)
				}
				if _, err := s.Load(t.Context(), "lives"); err != nil {
					t.Errorf("the other session: %v", err)
				}
			}
			t.Logf("the value of the other program: %v", last()) // nil with nats-server 2.15: it is back
		})
	}
}

// Servers are stopped and started again one by one, each when the one before has caught up. Nothing is
// lost, and saves go on.
func TestRolled(t *testing.T) {
	t.Parallel()
	all := natsserver.Start(t, 3, servers.NATSOptions{})
	conns := dialEach(t, all)
	var stores []*natsstore.Store
	for _, conn := range conns {
		stores = append(stores, newStore(t, natsstore.Config{Conn: conn}))
	}
	watching := dial(t, all...)
	crowd := startSaving(t, conns, stores)
	for _, s := range all {
		crowd.waitFor(t, 100)
		s.Restart()
		eventually(t, "all servers have caught up", func() bool { return current(t, watching) })
	}
	crowd.waitFor(t, 100)
	crowd.check(t)
}

// current reports whether all replicas of the bucket have caught up.
func current(t testing.TB, conn *nats.Conn) bool {
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, "KV_"+natsstore.DefaultBucket)
	if err != nil || stream.CachedInfo().Cluster == nil {
		return false
	}
	n := 0
	for _, r := range stream.CachedInfo().Cluster.Replicas {
		if r.Current && !r.Offline {
			n++
		}
	}
	return n == 2
}

// noAnswers checks that a store without a majority returns errors, and none that is an answer. The session may
// be changed or deleted when the majority is back, as after each write that returns an error.
func noAnswers(t testing.TB, s *natsstore.Store, id string) {
	t.Helper()
	r := store.Record{ID: id, Data: []byte("x"), Expires: in(time.Hour), Version: 1}
	for name, call := range map[string]func(context.Context) error{
		"Load":   func(ctx context.Context) error { _, err := s.Load(ctx, r.ID); return err },
		"Create": func(ctx context.Context) error { _, err := s.Create(ctx, r); return err },
		"Update": func(ctx context.Context) error { _, err := s.Update(ctx, r); return err },
		"Touch":  func(ctx context.Context) error { return s.Touch(ctx, r.ID, r.Expires) },
		"Delete": func(ctx context.Context) error { return s.Delete(ctx, r.ID) },
		"Ping":   s.Ping,
		"List": func(ctx context.Context) error {
			for _, err := range s.List(ctx, "") {
				return err
			}
			return nil
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := call(ctx)
		cancel()
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) {
			t.Errorf("%s without a majority: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), r.ID) {
			t.Errorf("%s: the error has the id: %v", name, err)
		}
	}
}

// leader returns the server that leads the bucket's stream, and the others.
func leader(t testing.TB, conn *nats.Conn, all []*servers.NATS) (leads *servers.NATS, others []*servers.NATS) {
	t.Helper()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is a leader", func() bool {
		stream, err := js.Stream(t.Context(), "KV_"+natsstore.DefaultBucket)
		if err != nil || stream.CachedInfo().Cluster == nil {
			return false
		}
		leads, others = nil, nil
		for i, s := range all {
			if fmt.Sprint("node", i) == stream.CachedInfo().Cluster.Leader {
				leads = s
			} else {
				others = append(others, s)
			}
		}
		return leads != nil
	})
	return leads, others
}

// A leader that has lost the others does not notice that for ten seconds. Meanwhile it answers
// nothing, since the others may have another leader.
func TestCutOffLeader(t *testing.T) {
	t.Parallel()
	all := natsserver.Start(t, 3, servers.NATSOptions{})
	first := newStore(t, natsstore.Config{Conn: dial(t, all...)})
	if _, err := first.Create(t.Context(), store.Record{ID: "asked", Expires: in(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	leads, others := leader(t, dial(t, all...), all)
	s := newStore(t, natsstore.Config{Conn: dial(t, leads)})
	for _, o := range others {
		o.Freeze()
	}
	noAnswers(t, s, "asked")
	for _, o := range others {
		o.Thaw()
	}
	working(t, s)
}

// A leader hangs for long enough that there is another one. When it continues, and does not know
// that yet, no node reads from it what has been replaced.
func TestThawedLeader(t *testing.T) {
	t.Parallel()
	all := natsserver.Start(t, 3, servers.NATSOptions{})
	conn := dial(t, all...)
	s := newStore(t, natsstore.Config{Conn: conn})
	r := store.Record{ID: "id", Data: []byte("0"), Expires: in(time.Hour)}
	var err error
	if r.Version, err = s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		leads, others := leader(t, conn, all)
		beside := newStore(t, natsstore.Config{Conn: dial(t, leads)})
		apart := newStore(t, natsstore.Config{Conn: dial(t, others...)})
		leads.Freeze()
		r.Data = fmt.Append(nil, round+1)
		if r.Version, err = apart.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 20 { // they wait for the server to continue
			wg.Go(func() {
				for range 50 {
					ctx, cancel := context.WithTimeout(t.Context(), maxWait)
					got, err := beside.Load(ctx, r.ID)
					cancel()
					if err != nil {
						t.Errorf("after the leader has continued: %v", err)
						return
					}
					if string(got.Data) != string(r.Data) {
						t.Errorf("a read has %q, and %q had been saved before", got.Data, r.Data)
					}
				}
			})
		}
		leads.Thaw()
		wg.Wait()
	}
}

// The stores are linearizable also while servers are killed and hang.
func TestLongLinearizableDisturbed(t *testing.T) {
	t.Parallel()
	all := natsserver.Start(t, 3, servers.NATSOptions{})
	conns := dialEach(t, all)
	turn := 0
	linear.Check(t, func(t *testing.T) storetest.Opened {
		o := opener(conns, natsstore.Config{Timeout: 3 * time.Second})(t)
		return o
	}, linear.Options{
		Topics: []linear.Topic{linear.Swaps, linear.Lives}, Rounds: 4, Unknown: -1, OperationTimeout: 3 * time.Second,
		Disturb: func(context.Context) {
			s := all[turn%len(all)]
			if turn++; turn%2 == 0 {
				s.Kill()
				s.Restart()
				return
			}
			s.Freeze()
			<-time.After(6 * time.Second)
			s.Thaw()
		},
	})
}
