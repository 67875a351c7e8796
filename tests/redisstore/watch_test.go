package redisstore_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/store/storetest"
)

// open makes a store that can be watched, closed with the test.
func open(t testing.TB, o rueidis.ClientOption, c redisstore.Config) *redisstore.Store {
	t.Helper()
	if c.TrimInterval == 0 {
		c.TrimInterval = -1
	}
	s, err := redisstore.Open(t.Context(), o, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// near puts a cache in front of a store.
func near(t testing.TB, s store.Store) *nearcache.Cache {
	t.Helper()
	n, err := nearcache.New(s, nearcache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// Stores that were opened keep the contract, what is told to those who watch included.
func TestContractOpened(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]func() rueidis.ClientOption{
		"Single":  func() rueidis.ClientOption { return single(servers.SharedRedis(t)) },
		"Cluster": func() rueidis.ClientOption { return rueidis.ClientOption{InitAddress: sharedCluster().Addrs()} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for layout, c := range map[string]redisstore.Config{"Native": {}, "Express": expressConfig} {
				if c.Express && name == "Cluster" {
					continue // commands are the same as with a single server
				}
				t.Run(layout, func(t *testing.T) {
					t.Parallel()
					options := nativeOptions
					if c.Express {
						options = expressOptions
					}
					options.Without = maps.Clone(options.Without)
					delete(options.Without, storetest.Watcher)
					storetest.Run(t, func(t *testing.T) storetest.Opened {
						c := c
						c.Prefix = newPrefix()
						var all []store.Store
						for range 1 + peers {
							s := open(t, option(), c)
							if c.Express {
								all = append(all, framed{s})
							} else {
								all = append(all, s)
							}
						}
						return storetest.Opened{Store: all[0], Peers: all[1:]}
					}, options)
				})
			}
		})
	}
}

// watch collects events until the test ends.
func watch(t testing.TB, s store.Store) <-chan store.Event {
	t.Helper()
	w, ok := store.As[store.Watcher](s)
	if !ok {
		t.Fatal("the store cannot be watched")
	}
	events := make(chan store.Event, 1<<16)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.Watch(ctx, func(e store.Event) { events <- e })
	}()
	t.Cleanup(func() { stop(); <-done })
	next(t, events, "the first event", func(e store.Event) bool { return e == store.Event{} })
	return events
}

// next waits for an event.
func next(t testing.TB, events <-chan store.Event, what string, is func(store.Event) bool) store.Event {
	t.Helper()
	late := time.NewTimer(maxWait)
	defer late.Stop()
	for {
		select {
		case e := <-events:
			if is(e) {
				return e
			}
		case <-late.C:
			t.Fatalf("in vain waited for this event: %s", what)
		}
	}
}

func isOf(id string) func(store.Event) bool {
	return func(e store.Event) bool { return e.ID == id }
}

func isMissed(e store.Event) bool { return e == store.Event{} }

func isWhole(e store.Event) bool { return !e.Whole.IsZero() }
