package sqlstore_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// A load is one round trip, and so is each write without a conflict, on a connection
// that has been used before.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		if d == sqlstore.SQLite {
			continue // in this process
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("Native", func(t *testing.T) {
				t.Parallel()
				roundTrips(t, d, sqlstore.Config{})
			})
			for name, l := range layouts {
				if l.dialect == d {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						roundTrips(t, d, sqlstore.Config{Layout: l.layout, OwnerColumn: "owner"})
					})
				}
			}
		})
	}
}

func roundTrips(t *testing.T, d sqlstore.Dialect, c sqlstore.Config) {
	db := newDatabase(t, d)
	wire := listen(t, db.addr(t))
	db.dsn = strings.Replace(db.dsn, db.addr(t), wire.Addr().String(), 1)
	c.DB, c.Dialect, c.Create = db.open(t), d, true
	c.DB.SetMaxOpenConns(1)
	s := newStore(t, c)
	ctx := t.Context()
	far := time.Now().Add(time.Hour)
	r := store.Record{ID: "first", Owner: "user:1", Data: []byte(`{"a":1}`), Expires: far}

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var loaded store.Record
	calls := []struct {
		name string
		call func() error
	}{
		{"Create", func() (err error) { r.Version, err = s.Create(ctx, r); return err }},
		{"Load", func() (err error) { loaded, err = s.Load(ctx, r.ID); return err }},
		{"Update", func() (err error) { r.Data = append(r.Data, ' '); r.Version, err = s.Update(ctx, r); return err }},
		{"Update of what was loaded", func() (err error) {
			loaded.Data = append(loaded.Data, '\n')
			loaded.Version = r.Version
			_, err = s.Update(ctx, loaded)
			return err
		}},
		{"Touch", func() error { return s.Touch(ctx, r.ID, far.Add(time.Hour)) }},
		{"Load of nothing", func() error { _, _ = s.Load(ctx, "nothing"); return nil }},
		{"Delete", func() error { return s.Delete(ctx, r.ID) }},
	}
	for _, warm := range []bool{true, false} {
		for _, c := range calls {
			before := wire.turns.Load()
			must(c.call())
			if n := wire.turns.Load() - before; !warm && n != 1 {
				t.Errorf("%s took %d round trips, want 1", c.name, n)
			}
		}
		r.ID, r.Data = "second", []byte(`{"a":1}`)
	}
}

// addr is where the database's server listens.
func (d *database) addr(t *testing.T) string {
	t.Helper()
	_, rest, _ := strings.Cut(d.dsn, "127.0.0.1:")
	port := rest[:strings.IndexAny(rest, ")/")]
	return net.JoinHostPort("127.0.0.1", port)
}

// wire is a proxy that counts how often an answer was followed by a question.
type wire struct {
	net.Listener
	turns atomic.Int64
}

func listen(t *testing.T, to string) *wire {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l}
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
			var answered atomic.Bool
			answered.Store(true)
			running.Go(func() {
				w.copy(server, client, func() {
					if answered.Swap(false) {
						w.turns.Add(1)
					}
				})
			})
			running.Go(func() { w.copy(client, server, func() { answered.Store(true) }) })
		}
	})
	return w
}

// copy passes on what it reads, after calling seen.
func (w *wire) copy(to io.WriteCloser, from io.Reader, seen func()) {
	defer func() { _ = to.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			seen()
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
