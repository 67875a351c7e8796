package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store"
)

// gate is a client whose commands wait for it to open.
type gate struct {
	rueidis.Client
	open chan struct{}
	came chan struct{}
	sent atomic.Int64 // times that something was sent
}

func (g *gate) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	g.sent.Add(1)
	g.came <- struct{}{}
	<-g.open
	return g.Client.Do(ctx, cmd)
}

// party are some calls that one trip takes, after as many others as may be on their
// way: each says what its call answered.
type party struct {
	store *Store
	gate  *gate
	wg    sync.WaitGroup
}

// hold lets nothing more through, with call on its way as often as may be.
func hold(t *testing.T, s *Store, call func()) *party {
	t.Helper()
	g := &gate{Client: s.client, open: make(chan struct{}), came: make(chan struct{}, 1000)}
	p := &party{store: s, gate: g}
	s.client, s.swaps = g, s.swapping(g)
	s.fetches.Patience, s.swaps.Patience = time.Hour, time.Hour
	for range maxTrips {
		p.wg.Go(call)
		<-g.came
	}
	return p
}

// join has a call stand in line.
func (p *party) join(t *testing.T, call func()) {
	t.Helper()
	waiting := func() int { return p.store.fetches.Waiting() + p.store.swaps.Waiting() }
	before := waiting()
	p.wg.Go(call)
	for deadline := time.Now().Add(10 * time.Second); waiting() == before; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a call does not stand in line")
		}
	}
}

// finish lets all through, and says how often something was sent for those that stood in
// line.
func (p *party) finish() int64 {
	close(p.gate.open)
	p.wg.Wait()
	p.store.client = p.gate.Client
	return p.gate.sent.Load() - maxTrips
}

// sharing is a store on a server of the tests.
func sharing(t *testing.T, server *servers.Redis, c Config) *Store {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, Password: server.Password()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c.Client, c.Prefix, c.TrimInterval = client, fmt.Sprintf("together%d:", time.Now().UnixNano()), -1
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *Store) mustCreate(t *testing.T, r store.Record) store.Record {
	t.Helper()
	var err error
	if r.Version, err = s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Reads that go together are one command, and each is answered as it would be alone.
func TestReadsTogether(t *testing.T) {
	t.Parallel()
	s := sharing(t, servers.SharedRedis(t), Config{})
	const sessions = 5
	for i := range sessions {
		s.mustCreate(t, store.Record{ID: fmt.Sprint(i), Owner: fmt.Sprint("user", i), Data: fmt.Append(nil, "data ", i), Expires: time.Now().Add(time.Hour)})
	}
	for key, command := range map[string]rueidis.Completed{
		"a list":     s.b.Lpush().Key(s.key("a list")).Element("x").Build(),
		"some value": s.b.Set().Key(s.key("some value")).Value("x").Build(),
	} {
		if err := s.client.Do(t.Context(), command).Error(); err != nil {
			t.Fatal(key, err)
		}
	}
	p := hold(t, s, func() { _, _ = s.Load(t.Context(), "0") })
	for i := range sessions {
		p.join(t, func() {
			r, err := s.Load(t.Context(), fmt.Sprint(i))
			if err != nil || r.ID != fmt.Sprint(i) || r.Owner != fmt.Sprint("user", i) || string(r.Data) != fmt.Sprint("data ", i) {
				t.Errorf("session %d: %+v, %v", i, r, err)
			}
		})
	}
	p.join(t, func() {
		if _, err := s.Load(t.Context(), "absent"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a session that is not there: %v", err)
		}
	})
	p.join(t, func() {
		if _, err := s.Load(t.Context(), "a list"); err == nil || !strings.Contains(err.Error(), "choose another Config.Prefix") {
			t.Errorf("a key that holds a list: %v", err)
		}
	})
	p.join(t, func() {
		if _, err := s.Load(t.Context(), "some value"); !errors.Is(err, errForeign) {
			t.Errorf("a value of somebody else: %v", err)
		}
	})
	// What MGET does not answer is read once more; that is sent by DoMulti.
	if n := p.finish(); n != 1 {
		t.Errorf("%d commands were sent, want 1", n)
	}
}

// An error of the server's is everybody's.
func TestReadsTogetherFail(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{})
	s := sharing(t, server, Config{})
	s.mustCreate(t, store.Record{ID: "0", Expires: time.Now().Add(time.Hour)})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	p := hold(t, s, func() { _, _ = s.Load(ctx, "0") })
	for range 3 {
		p.join(t, func() {
			if _, err := s.Load(ctx, "0"); err == nil || errors.Is(err, store.ErrNotFound) {
				t.Errorf("Load without a server: %v", err)
			}
		})
	}
	server.Kill()
	p.finish()
}

// Updates that go together are one run of a script, and each is answered, and done, as it
// would be alone.
func TestSwapsTogether(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	for name, c := range map[string]Config{"native": {}, "express": {Express: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sharing(t, server, c)
			owner := func(name string) string {
				if c.Express {
					return ""
				}
				return name
			}
			was := func(id string) store.Record {
				return s.mustCreate(t, store.Record{ID: id, Owner: owner("user"), Data: []byte("was " + id), Expires: time.Now().Add(time.Hour)})
			}
			is := func(id, want string) {
				t.Helper()
				if r, err := s.Load(t.Context(), id); err != nil || string(r.Data) != want {
					t.Errorf("then %s is %q, %v; want %q", id, r.Data, err, want)
				}
			}
			busy := was("busy")
			all := map[string]store.Record{}
			for _, id := range []string{"plain", "again", "stale", "gone", "list", "moves", "leaves", "over", "ever"} {
				all[id] = was(id)
			}
			touch := func(id string, change func(r *store.Record)) { r := all[id]; change(&r); all[id] = r }
			touch("stale", func(r *store.Record) {
				changed := *r
				changed.Data = []byte("of another")
				if _, err := s.Update(t.Context(), changed); err != nil {
					t.Fatal(err)
				}
			})
			touch("gone", func(r *store.Record) {
				if err := s.Delete(t.Context(), r.ID); err != nil {
					t.Fatal(err)
				}
			})
			touch("list", func(r *store.Record) {
				for _, cmd := range []rueidis.Completed{s.b.Del().Key(s.key(r.ID)).Build(), s.b.Lpush().Key(s.key(r.ID)).Element("x").Build()} {
					if err := s.client.Do(t.Context(), cmd).Error(); err != nil {
						t.Fatal(err)
					}
				}
			})
			touch("moves", func(r *store.Record) {
				r.Owner = owner("other")
			})
			touch("leaves", func(r *store.Record) { r.Owner = "" })
			touch("over", func(r *store.Record) { r.Expires = time.Now().Add(-time.Hour) })
			touch("ever", func(r *store.Record) { r.Expires = time.Time{} })

			if err := s.client.Do(t.Context(), s.b.ScriptLoad().Script(s.layout.scripts().swaps.text).Build()).Error(); err != nil {
				t.Fatal(err)
			}
			p := hold(t, s, func() { _, _ = s.Update(t.Context(), busy) })
			var mu sync.Mutex
			errs := map[string]error{}
			update := func(id, name string) {
				p.join(t, func() {
					r := all[id]
					r.Data = []byte("new " + name)
					_, err := s.Update(t.Context(), r)
					mu.Lock()
					defer mu.Unlock()
					errs[name] = err
				})
			}
			for id := range all {
				update(id, id)
			}
			update("again", "later")
			// What the script leaves to others is sent by another line.
			if n := p.finish(); n != 1 {
				t.Errorf("%d scripts were run, want 1", n)
			}
			for name, err := range errs {
				var want error
				switch name {
				case "stale", "later":
					want = store.ErrConflict
				case "gone":
					want = store.ErrNotFound
				case "list":
					if err == nil || !strings.Contains(err.Error(), "choose another Config.Prefix") {
						t.Errorf("a key that holds a list: %v", err)
					}
					continue
				}
				if !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", name, err, want)
				}
			}
			for _, id := range []string{"plain", "again", "moves", "leaves", "ever"} {
				is(id, "new "+id)
			}
			is("stale", "of another")
			for _, id := range []string{"gone", "over"} {
				if _, err := s.Load(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s is there: %v", id, err)
				}
			}
			if err := s.client.Do(t.Context(), s.b.Del().Key(s.key("list")).Build()).Error(); err != nil {
				t.Fatal(err)
			}
			if left := s.client.Do(t.Context(), s.b.Pttl().Key(s.key("ever")).Build()); !c.Express {
				if n, err := left.AsInt64(); n != -1 || err != nil {
					t.Errorf("what does not expire has %d ms left, %v", n, err)
				}
				owned := map[string]int{}
				for _, who := range []string{"user", "other"} {
					for _, err := range s.List(t.Context(), who) {
						if err != nil {
							t.Fatal(err)
						}
						owned[who]++
					}
				}
				if owned["other"] != 1 || owned["user"] != 5 { // busy, plain, again, stale, ever
					t.Errorf("the owners have %v sessions", owned)
				}
			}
		})
	}
}

// A server that is out of memory says so to each, and lets go of what has ended.
func TestSwapsTogetherWithoutMemory(t *testing.T) {
	t.Parallel()
	s := sharing(t, servers.StartRedis(t, servers.RedisOptions{}), Config{})
	create := func(id string) store.Record {
		return s.mustCreate(t, store.Record{ID: id, Expires: time.Now().Add(time.Hour)})
	}
	busy, full, over := create("busy"), create("full"), create("over")
	over.Expires = time.Now().Add(-time.Second)
	if err := s.client.Do(t.Context(), s.b.ConfigSet().ParameterValue().ParameterValue("maxmemory", "1").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	p := hold(t, s, func() { _, _ = s.Update(t.Context(), busy) })
	p.join(t, func() {
		if _, err := s.Update(t.Context(), full); !errors.Is(err, store.ErrFull) {
			t.Errorf("an update without memory: %v, want ErrFull", err)
		}
	})
	p.join(t, func() {
		if _, err := s.Update(t.Context(), over); err != nil {
			t.Errorf("a logout without memory: %v", err)
		}
	})
	p.finish()
}
