package pgxstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// patience is how long a test waits for something to happen.
const patience = 2 * time.Minute

// newPool returns a node's pool, which is closed with the test. more goes to the end of the connection
// string.
func newPool(t testing.TB, dsn string, more ...string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), dsn+strings.Join(more, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// newStore returns a node's store, which is closed with the test.
func newStore(t testing.TB, pool *pgxpool.Pool, c pgxstore.Config) *pgxstore.Store {
	t.Helper()
	if c.SweepInterval == 0 {
		c.SweepInterval = -1
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s, err := pgxstore.New(context.Background(), pool, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// layouts are the tables that the store can use.
var layouts = map[string]pgxstore.Config{
	"Native":          {Create: true},
	"ConnectPgSimple": {Create: true, Layout: sqlstore.ConnectPgSimple, OwnerColumn: "nest_owner", TTL: sqlstore.NoTTL},
}

var tables atomic.Int64

// table returns a name that no other test uses.
func table() string { return fmt.Sprintf("sessions_%d", tables.Add(1)) }

func exec(t testing.TB, pool *pgxpool.Pool, text string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(context.Background(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		wait(t, 5*time.Millisecond)
	}
}

func wait(t testing.TB, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// record returns a record that expires in an hour.
func record(id string) store.Record {
	return store.Record{ID: id, Owner: "user:42", Data: []byte(`{"cookie":{},"n":"` + id + `"}`), Expires: time.Now().Add(time.Hour)}
}

func create(t testing.TB, s store.Store, r store.Record) store.Record {
	t.Helper()
	v, err := s.Create(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Version = v
	return r
}

// recorder records the events of a Watch.
type recorder struct {
	t      testing.TB
	mu     sync.Mutex
	events []store.Event
	whole  time.Time
	lost   int // events that say that some may have been missed
	stop   context.CancelFunc
	done   chan error
}

// listenTo records events until the test ends. It returns after the first one.
func listenTo(t testing.TB, w store.Watcher) *recorder {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	e := &recorder{t: t, stop: stop, done: make(chan error, 1)}
	go func() { e.done <- w.Watch(ctx, e.onEvent) }()
	t.Cleanup(func() { stop() })
	eventually(t, "a first event", func() bool { return e.missed() > 0 })
	return e
}

func (e *recorder) onEvent(ev store.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case ev.Digest != store.Digest{}:
		e.events = append(e.events, ev)
	case ev.Whole.IsZero():
		e.lost++
	default:
		e.whole = ev.Whole
	}
}

func (e *recorder) missed() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lost
}

func (e *recorder) wholeSince(t time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.whole.After(t)
}

// take returns the events since the last call, up to now.
func (e *recorder) take() []store.Event {
	e.t.Helper()
	now := time.Now()
	eventually(e.t, "a heartbeat", func() bool { return e.wholeSince(now) })
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.events
	e.events = nil
	return all
}

// only returns the one event since the last call.
func (e *recorder) only(what string) store.Event {
	e.t.Helper()
	all := e.take()
	if len(all) != 1 {
		e.t.Fatalf("%s: %+v was reported, want one event", what, all)
	}
	return all[0]
}

// connect opens a connection outside any pool.
func connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
