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

// patience is how long a test waits for what is to happen by itself.
const patience = 2 * time.Minute

// newPool is a node's, which ends with the test. more goes to the end of the connection
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

// newStore is a node's, which ends with the test.
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

// layouts are the tables that the store works on.
var layouts = map[string]pgxstore.Config{
	"Native":          {Create: true},
	"ConnectPgSimple": {Create: true, Layout: sqlstore.ConnectPgSimple, OwnerColumn: "nest_owner", TTL: sqlstore.NoTTL},
}

var tables atomic.Int64

// table is a name that no other test uses.
func table() string { return fmt.Sprintf("sessions_%d", tables.Add(1)) }

func exec(t testing.TB, pool *pgxpool.Pool, text string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(context.Background(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// eventually asks until the answer is yes.
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

// record is one with an hour to live.
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

// ear is a watch and what it has heard.
type ear struct {
	t      testing.TB
	mu     sync.Mutex
	events []store.Event
	whole  time.Time
	lost   int // events that say that some may have been missed
	stop   context.CancelFunc
	done   chan error
}

// listenTo watches until the test ends, and returns once it does.
func listenTo(t testing.TB, w store.Watcher) *ear {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	e := &ear{t: t, stop: stop, done: make(chan error, 1)}
	go func() { e.done <- w.Watch(ctx, e.hear) }()
	t.Cleanup(func() { stop() })
	eventually(t, "a first event", func() bool { return e.missed() > 0 })
	return e
}

func (e *ear) hear(ev store.Event) {
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

func (e *ear) missed() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lost
}

func (e *ear) wholeSince(t time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.whole.After(t)
}

// told is what has been heard since the last time it was asked, up to now.
func (e *ear) told() []store.Event {
	e.t.Helper()
	now := time.Now()
	eventually(e.t, "a heartbeat", func() bool { return e.wholeSince(now) })
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.events
	e.events = nil
	return all
}

// only is what has been heard, which has to be one event.
func (e *ear) only(what string) store.Event {
	e.t.Helper()
	all := e.told()
	if len(all) != 1 {
		e.t.Fatalf("%s: heard %+v, want one event", what, all)
	}
	return all[0]
}

// connect is one connection that no pool has.
func connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
