package natsstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/natsserver"
)

// small lets servers take only small messages.
func small(o *server.Options) { o.MaxPayload = 64 << 10 }

// Sessions that are too large disturb no others: none of their messages waits at the servers for the rest.
func TestTooLargeDisturbsNobody(t *testing.T) {
	t.Parallel()
	conn := connect(t, startThree(t, small)[0])
	s := newStore(t, natsstore.Config{Conn: conn})
	large := make([]byte, conn.MaxPayload())
	for i := range 120 { // more than the servers keep open at a time
		_, err := s.Create(t.Context(), store.Record{ID: fmt.Sprint("large", i), Owner: "user:42", Data: large, Expires: in(time.Hour)})
		if err == nil || !strings.Contains(err.Error(), "max_payload") {
			t.Fatalf("%v", err)
		}
	}
	// The servers refuse a batch while they keep too many others. One attempt shows that: the Store makes more.
	refusals := conn.Statistics.OutMsgs
	if _, err := s.Create(t.Context(), store.Record{ID: "small", Owner: "user:42", Expires: in(time.Hour)}); err != nil {
		t.Error(err)
	}
	if sent := conn.Statistics.OutMsgs - refusals; sent > 10 {
		t.Errorf("a login after them took %d messages", sent)
	}
	for r, err := range s.List(t.Context(), "user:42") {
		if err != nil || r.ID != "small" {
			t.Errorf("%s is listed: %v", r.ID, err)
		}
	}
}

// A session may be as large as a message, but for the message's own headers. Around the limit, a session
// is kept whole or refused, with a reason.
func TestLargest(t *testing.T) {
	t.Parallel()
	for name, conn := range map[string]*nats.Conn{"one server": connect(t, startOne(t, small)), "three": connect(t, startThree(t, small)[0])} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, natsstore.Config{Conn: conn})
			kept, refused := 0, 0
			for less := range 12 {
				r := store.Record{ID: fmt.Sprint("id", less), Owner: "user:42", Data: make([]byte, int(conn.MaxPayload())-less*50), Expires: in(time.Hour)}
				_, err := s.Create(t.Context(), r)
				got, loadErr := s.Load(t.Context(), r.ID)
				switch {
				case err == nil && loadErr == nil && len(got.Data) == len(r.Data):
					kept++
				case err != nil && strings.Contains(err.Error(), "max_payload") && errors.Is(loadErr, store.ErrNotFound):
					refused++
				default:
					t.Errorf("%d bytes less: %v, %v", less*50, err, loadErr)
				}
			}
			if kept == 0 || refused == 0 {
				t.Errorf("%d are kept, %d refused", kept, refused)
			}
		})
	}
}

// Sessions that are read together may have more bytes than the servers send in one answer. None is missed.
func TestManyLarge(t *testing.T) {
	t.Parallel()
	s := newStore(t, natsstore.Config{Conn: connect(t, startThree(t)[0])})
	const n = 16
	for i := range n {
		r := store.Record{ID: fmt.Sprint("id", i), Owner: "user:42", Data: make([]byte, 1<<20), Expires: in(time.Hour)}
		if _, err := s.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i := range 2 * n {
		wg.Go(func() {
			r, err := s.Load(t.Context(), fmt.Sprint("id", i))
			if i < n && (err != nil || len(r.Data) != 1<<20) || i >= n && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("id%d of %d: %d bytes, %v", i, n, len(r.Data), err)
			}
		})
	}
	wg.Wait()
	for _, owner := range []string{"", "user:42"} {
		listed := 0
		for r, err := range s.List(t.Context(), owner) {
			if err != nil || len(r.Data) != 1<<20 {
				t.Fatalf("listed of %q: %s, %d bytes, %v", owner, r.ID, len(r.Data), err)
			}
			listed++
		}
		if listed != n {
			t.Errorf("%d of %d are listed of %q", listed, n, owner)
		}
	}
}

// The bucket's leader changes again and again while sessions are saved and ended. Nothing is lost, and
// nobody gets an error.
func TestLeaderSteps(t *testing.T) {
	t.Parallel()
	all := natsserver.Start(t, 3, servers.NATSOptions{})
	conns := dialEach(t, all)
	var stores []*natsstore.Store
	for _, conn := range conns {
		stores = append(stores, newStore(t, natsstore.Config{Conn: conn}))
	}
	conn := dial(t, all...)
	crowd := startSaving(t, conns, stores)
	for range 10 {
		crowd.waitFor(t, 50)
		eventually(t, "the leader steps down", func() bool {
			m, err := conn.Request("$JS.API.STREAM.LEADER.STEPDOWN.KV_"+natsstore.DefaultBucket, nil, 2*time.Second)
			return err == nil && strings.Contains(string(m.Data), `"success":true`)
		})
	}
	crowd.waitFor(t, 50)
	crowd.check(t)
}

// A server that kept its sessions in memory has lost the bucket when it is back. The nodes make it again,
// and go on.
func TestMemoryOfOneServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		memory, empty bool
	}{"in memory": {memory: true}, "its disk replaced": {empty: true}} {
		t.Run(name, func(t *testing.T) {
			server := natsserver.Start(t, 1, servers.NATSOptions{})[0]
			s := newStore(t, natsstore.Config{Conn: dial(t, server), Memory: c.memory})
			r := store.Record{ID: "id", Owner: "user:42", Expires: in(time.Hour)}
			var err error
			if r.Version, err = s.Create(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			events := watchAll(t, s)
			events.forget()
			server.Kill()
			if c.empty {
				server.Empty()
			}
			server.Restart()
			working(t, s)
			if _, err := s.Load(t.Context(), "id"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Load: %v", err)
			}
			if _, err := s.Update(t.Context(), r); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Update: %v", err)
			}
			v, err := s.Create(t.Context(), r)
			if err != nil || v <= r.Version {
				t.Errorf("Create: version %d after %d, %v", v, r.Version, err)
			}
			eventually(t, "watchers know that they have missed changes", func() bool { return events.has(store.Event{}) })
			r.Version = v
			eventually(t, "the watch reports again", func() bool {
				if r.Version, err = s.Update(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				return events.has(store.Event{ID: "id", Version: r.Version})
			})
		})
	}
}

type watched struct {
	mu  sync.Mutex
	all []store.Event
}

func watchAll(t testing.TB, s *natsstore.Store) *watched {
	w := &watched{}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Watch(ctx, func(e store.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.all = append(w.all, e)
		})
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	eventually(t, "the watch works", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.all) > 0 })
	return w
}

func (w *watched) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = nil
}

func (w *watched) has(e store.Event) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.all, e)
}
