package pgxstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
	"github.com/nestsession/session/tests/internal/relay"
)

// pair is two nodes on one table. The second records the events.
type pair struct {
	config pgxstore.Config
	dsn    string
	pool   *pgxpool.Pool
	here   *pgxstore.Store
	there  *pgxstore.Store
	watch  *recorder
}

func newPair(t *testing.T, c pgxstore.Config) *pair {
	t.Helper()
	p := &pair{config: c, dsn: servers.SharedPostgres(t).NewDatabase(t)}
	if c.Heartbeat == 0 {
		c.Heartbeat = 50 * time.Millisecond
	}
	p.pool = newPool(t, p.dsn)
	p.here = newStore(t, p.pool, c)
	p.there = newStore(t, newPool(t, p.dsn), c)
	p.watch = listenTo(t, p.there)
	return p
}

// Every change is reported, with the row's new version.
func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, c)
			ctx := t.Context()
			r := create(t, p.here, record("a"))
			if events := p.watch.take(); len(events) != 0 {
				t.Errorf("a new session: %+v", events)
			}
			for what, change := range map[string]func(*store.Record){
				"data":    func(r *store.Record) { r.Data = []byte(`{"cookie":{},"n":2}`) },
				"owner":   func(r *store.Record) { r.Owner = "user:43" },
				"shorter": func(r *store.Record) { r.Expires = r.Expires.Add(-time.Minute) },
			} {
				change(&r)
				v, err := p.here.Update(ctx, r)
				if err != nil {
					t.Fatal(err)
				}
				r.Version = v
				if got := p.watch.only(what); got != (store.Event{Digest: store.DigestOf("a"), Version: v}) {
					t.Errorf("%s: %+v, want version %d", what, got, v)
				}
			}
			if err := p.here.Touch(ctx, "a", r.Expires.Add(-30*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if got := p.watch.only("a touch that shortens"); !got.Concerns("a") || got.Ended {
				t.Errorf("a touch that shortens: %+v", got)
			}
			if err := p.here.Touch(ctx, "a", time.Now().Add(-time.Minute)); err != nil {
				t.Fatal(err)
			}
			if got := p.watch.only("a touch that ends"); !got.Concerns("a") || !got.Ended {
				t.Errorf("a touch that ends: %+v", got)
			}

			create(t, p.here, record("b"))
			if err := p.here.Delete(ctx, "b"); err != nil {
				t.Fatal(err)
			}
			if got := p.watch.only("a deletion"); got != (store.Event{Digest: store.DigestOf("b"), Ended: true}) {
				t.Errorf("a deletion: %+v", got)
			}
			lost := p.watch.missed()
			exec(t, p.pool, "TRUNCATE "+quoted(c))
			p.watch.take()
			if p.watch.missed() != lost+1 {
				t.Error("a TRUNCATE does not have everything looked at")
			}
		})
	}
}

func quoted(c pgxstore.Config) string {
	name := c.Table
	if name == "" {
		name = map[sqlstore.Layout]string{sqlstore.Native: "nest_sessions", sqlstore.ConnectPgSimple: "session"}[c.Layout]
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Changes that no watcher needs are not reported: touches, new sessions, and the removal of
// expired sessions.
func TestQuietAboutTheRest(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, c)
			ctx := t.Context()
			r := create(t, p.here, record("a"))
			for i := range 20 {
				if err := p.here.Touch(ctx, "a", r.Expires.Add(time.Duration(i)*time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			r, err := p.here.Load(ctx, "a")
			if err != nil {
				t.Fatal(err)
			}
			r.Expires = r.Expires.Add(time.Hour)
			if _, err := p.here.Update(ctx, r); err != nil {
				t.Fatal(err)
			}
			for _, id := range strings.Split("bcdefghijk", "") {
				r := record(id)
				r.Expires = time.Now().Add(-10 * time.Second)
				create(t, p.here, r)
			}
			if n, err := p.here.Sweep(ctx); n != 10 || err != nil {
				t.Fatalf("swept %d, %v", n, err)
			}
			if events := p.watch.take(); len(events) != 0 {
				t.Errorf("got %+v", events)
			}
			if lost := p.watch.missed(); lost != 1 {
				t.Errorf("%d events to recheck everything, want once at the start", lost)
			}
		})
	}
}

// A session that has expired by the database's clock may still live by the clock of a node:
// its end is reported.
func TestClocksMayDifferALittle(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, c)
			r := record("a")
			r.Expires = time.Now().Add(-time.Millisecond)
			create(t, p.here, r)
			if err := p.here.Delete(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			if got := p.watch.only("a deletion"); got != (store.Event{Digest: store.DigestOf("a"), Ended: true}) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Changes by connect-pg-simple 10 are reported, too, with its own statements and in its own
// time zone.
func TestNodeIsHeard(t *testing.T) {
	t.Parallel()
	c := layouts["ConnectPgSimple"]
	p := newPair(t, c)
	node := newPool(t, p.dsn)
	const set = `INSERT INTO "session" (sess, expire, sid) SELECT $1, to_timestamp($2), $3 ON CONFLICT (sid) DO UPDATE SET sess=$1, expire=to_timestamp($2) RETURNING sid`
	ends := time.Now().Add(time.Hour).Unix()
	exec(t, node, set, `{"cookie":{},"user":1}`, ends, "a")
	if events := p.watch.take(); len(events) != 0 {
		t.Errorf("a new session: %+v", events)
	}
	exec(t, node, set, `{"cookie":{},"user":2}`, ends, "a")
	got := p.watch.only("a save")
	r, err := p.there.Load(t.Context(), "a")
	if err != nil || !got.Concerns("a") || got.Ended || got.Version != r.Version {
		t.Errorf("a save: %+v; the record has version %d, %v", got, r.Version, err)
	}
	exec(t, node, `UPDATE "session" SET expire = to_timestamp($1) WHERE sid = $2 RETURNING sid`, ends+60, "a")
	exec(t, node, set, `{"cookie":{},"user":2}`, ends+120, "a")
	if events := p.watch.take(); len(events) != 0 {
		t.Errorf("touches: %+v", events)
	}
	exec(t, node, `DELETE FROM "session" WHERE sid = $1`, "a")
	if got := p.watch.only("a logout"); got != (store.Event{Digest: store.DigestOf("a"), Ended: true}) {
		t.Errorf("a logout: %+v", got)
	}
	exec(t, node, set, `{}`, time.Now().Add(-10*time.Second).Unix(), "b")
	exec(t, node, `DELETE FROM "session" WHERE expire < to_timestamp($1)`, time.Now().Unix())
	if events := p.watch.take(); len(events) != 0 {
		t.Errorf("a pruning: %+v", events)
	}
}

// The time zone of a column without one decides which rows have expired.
func TestTimeZones(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Asia/Seoul", "America/Los_Angeles"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			c := layouts["ConnectPgSimple"]
			c.TimeZone = zone
			p := newPair(t, c)
			create(t, p.here, record("a"))
			r := record("b")
			r.Expires = time.Now().Add(-10 * time.Second)
			create(t, p.here, r)
			for _, id := range []string{"a", "b"} {
				if err := p.here.Delete(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			if got := p.watch.only("two deletions"); got != (store.Event{Digest: store.DigestOf("a"), Ended: true}) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// An event with Whole is about the time before the heartbeat was sent, however long the
// heartbeat took.
func TestWholeIsOfWhenItWasAsked(t *testing.T) {
	t.Parallel()
	server := servers.SharedPostgres(t)
	p := relay.New(t, server.Addr())
	s := newStore(t, newPool(t, p.Through(server.NewDatabase(t))), pgxstore.Config{Create: true, Heartbeat: 20 * time.Millisecond})
	const late = 200 * time.Millisecond
	p.OnReply(func(reply []byte) []byte {
		<-time.After(late)
		return reply
	})
	ctx, stop := context.WithTimeout(t.Context(), maxWait)
	defer stop()
	heard := 0
	_ = s.Watch(ctx, func(ev store.Event) {
		if ev.Whole.IsZero() {
			return
		}
		if since := time.Since(ev.Whole); since < late {
			t.Errorf("an answer that took %v says of %v ago that nothing was missed", late, since)
		}
		if heard++; heard == 3 {
			stop()
		}
	})
	if heard < 3 {
		t.Errorf("heard %d heartbeats", heard)
	}
}
