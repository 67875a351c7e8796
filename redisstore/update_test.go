package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// A batch of updates is one run of a script. Each is done, and answered, as if it were
// unbatched.
func TestBatchedUpdates(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
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

			if err := s.client.Do(t.Context(), s.b.ScriptLoad().Script(s.layout.scripts().updateMany.text).Build()).Error(); err != nil {
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
			// Another queue sends the updates that the script did not do.
			if n := p.finish(); n != 1 {
				t.Errorf("%d scripts were run, want 1", n)
			}
			for name, err := range errs {
				var want error
				switch name {
				case "stale", "later", "list":
					want = store.ErrConflict
				case "gone":
					want = store.ErrNotFound
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

// A server that is out of memory refuses each update, and removes a session that has ended.
func TestBatchedUpdatesWithoutMemory(t *testing.T) {
	t.Parallel()
	s := sharing(t, startRedis(t), Config{})
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

// With connect-redis's layout an owner's index is written with each save, since Node does
// not write it; even when many save at once.
func TestOwnersOfManyUpdates(t *testing.T) {
	t.Parallel()
	const sessions = 64
	ownerOf := func(document []byte) string { return string(document[:len("owner")]) }
	s := sharing(t, startRedis(t), Config{Express: true, OwnerOf: ownerOf})
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			id := fmt.Sprint(i)
			// As Node does.
			if err := s.client.Do(t.Context(), s.b.Set().Key(s.key(id)).Value("owner, was").ExSeconds(3600).Build()).Error(); err != nil {
				t.Error(err)
				return
			}
			r, err := s.Load(t.Context(), id)
			if err == nil {
				r.Data = []byte("owner, is")
				_, err = s.Update(t.Context(), r)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	listed := 0
	for _, err := range s.List(t.Context(), "owner") {
		if err != nil {
			t.Fatal(err)
		}
		listed++
	}
	if listed != sessions {
		t.Errorf("the owner has %d sessions, want %d", listed, sessions)
	}
}

// A caller whose context has ended may write to its data: the store keeps what it got.
func TestCanceledCallerMayReuseData(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	for name, c := range map[string]Config{"native": {}, "express": {Express: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sharing(t, server, c)
			create := func(id string) store.Record {
				return s.mustCreate(t, store.Record{ID: id, Data: []byte("old"), Expires: time.Now().Add(time.Hour)})
			}
			busy, leaves, stays := create("busy"), create("leaves"), create("stays")
			for _, script := range []script{s.layout.scripts().update, s.layout.scripts().updateMany} {
				if err := s.client.Do(t.Context(), s.b.ScriptLoad().Script(script.text).Build()).Error(); err != nil {
					t.Fatal(err)
				}
			}
			p := hold(t, s, func() { _, _ = s.Update(t.Context(), busy) })
			ctx, cancel := context.WithCancel(t.Context())
			left := make(chan struct{})
			leaves.Data = []byte("new")
			p.join(t, func() {
				if _, err := s.Update(ctx, leaves); !errors.Is(err, context.Canceled) {
					t.Errorf("who gives up: %v", err)
				}
				close(left)
			})
			stays.Data = []byte("new")
			p.join(t, func() {
				if _, err := s.Update(t.Context(), stays); err != nil {
					t.Errorf("who stays: %v", err)
				}
			})
			p.gate.open <- struct{}{} // one returns, and the next batch has both
			<-p.gate.came
			cancel()
			<-left
			copy(leaves.Data, "???")
			p.finish()
			if r, err := s.Load(t.Context(), "leaves"); err != nil || string(r.Data) != "new" {
				t.Errorf("what is kept is %q, %v; want %q", r.Data, err, "new")
			}
		})
	}
}
