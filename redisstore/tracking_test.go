package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// hear collects the events of a feed, after the first.
func hear(t *testing.T, tr *tracking) <-chan store.Event {
	t.Helper()
	events := make(chan store.Event, 1024)
	go func() { _ = tr.feed.Watch(t.Context(), func(e store.Event) { events <- e }) }()
	<-events
	return events
}

// pipeConn tells when it is closed.
type pipeConn struct {
	net.Conn
	closed func()
}

func (c pipeConn) Close() error { c.closed(); return nil }

// Watchers are notified that they may have missed events before a new connection is used, so
// that no read over it precedes that, and before an old one is closed, so that no other has
// replaced it yet.
func TestConnectionsAreReported(t *testing.T) {
	t.Parallel()
	tr := newTracking("p:")
	events := hear(t, tr)
	told := func(when string) {
		t.Helper()
		select {
		case e := <-events:
			if e != (store.Event{}) {
				t.Errorf("%s: told %+v", when, e)
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("%s: nothing told", when)
		}
	}
	closed := false
	raw := pipeConn{closed: func() {
		told("before the connection is closed")
		closed = true
	}}
	failed := errors.New("no route")
	var fail error
	dial := tr.dialer(rueidis.ClientOption{DialCtxFn: func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
		return raw, fail
	}})
	c, err := dial(t.Context(), "a:1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	told("when a connection was made")
	if all := tr.connected(); !all["a:1"] || len(all) != 1 {
		t.Errorf("connected to %v", all)
	}
	_ = c.Close()
	_ = c.Close()
	if !closed || len(tr.connected()) != 0 {
		t.Errorf("closed: %v, connected to %v", closed, tr.connected())
	}
	fail = failed
	if _, err := dial(t.Context(), "a:1", nil, nil); !errors.Is(err, failed) || len(tr.connected()) != 0 {
		t.Errorf("a dial that failed: %v, connected to %v", err, tr.connected())
	}
}

// A change that may be the store's own write is published with its version only if the record
// is as the store has written it, and as the end of the session if there is none.
func TestCheckOwnWrites(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	open := func() *Store {
		s, err := Open(t.Context(), rueidis.ClientOption{InitAddress: []string{server.Addr()}}, Config{Prefix: "look:"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	expires := time.Now().Add(time.Hour)
	r := store.Record{ID: "id", Data: []byte("{}"), Expires: expires}
	before := open() // Redis tells the store that writes, too, and perhaps late
	_ = before.Delete(t.Context(), r.ID)
	var err error
	if r.Version, err = before.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	before.Close()
	s := open()
	defer s.Close()
	events := hear(t, s.tracking)
	for _, c := range []struct {
		what string
		id   string
		ours written
		want store.Event
	}{
		{"ours", "id", written{r.Version, expires}, store.Event{ID: "id", Version: r.Version}},
		{"another version", "id", written{r.Version + 1, expires}, store.Event{ID: "id"}},
		{"another expiry", "id", written{r.Version, expires.Add(time.Minute)}, store.Event{ID: "id"}},
		{"gone", "none", written{r.Version, expires}, store.Event{ID: "none", Ended: true}},
	} {
		s.check(t.Context(), []change{{id: c.id, ours: c.ours}})
		for e := range events {
			if e.ID != "" {
				if e != c.want {
					t.Errorf("%s: told %+v, want %+v", c.what, e, c.want)
				}
				break
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.check(ctx, []change{{id: "id", ours: written{r.Version, expires}}})
	if e := <-events; e != (store.Event{ID: "id"}) {
		t.Errorf("not answered: told %+v", e)
	}
}

// A moment is published after the changes before it, even those that need a check.
func TestMomentsComeAfterChanges(t *testing.T) {
	t.Parallel()
	tr := newTracking("p:")
	hear(t, tr)
	tr.expect(store.Record{ID: "id", Expires: time.Now()}, 7)
	if !tr.setAside("id") || tr.setAside("id") {
		t.Error("a change that may be ours is set aside once")
	}
	tr.wholeAt(time.Now())
	if q := tr.take(); len(q) != 2 || q[0].id != "id" || q[1].id != "" {
		t.Errorf("in the queue: %+v", q)
	}
	tr.expect(store.Record{ID: "id", Expires: time.Now()}, 8)
	tr.forget("id", 8)
	if tr.setAside("id") {
		t.Error("a write that was not done is expected")
	}
}
