package sqlstore_test

import (
	"database/sql"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// node speaks to a table as the npm package does. now and expires are milliseconds
// since 1970, as JavaScript has them.
type node struct {
	layout             sqlstore.Layout
	table, key, column string                                // of the expiry
	create             []string                              // what the package makes
	set                string                                // $1 id, $2 expiry, $3 document
	touch              string                                // $1 id, $2 expiry
	get                string                                // $1 id, $2 now; the document
	expiry             func(ms int64) any                    // as set and touch have it
	now                func(ms int64) any                    // as get has it
	order              func(id, expires, document any) []any // the arguments of set
}

func ceilSeconds(ms int64) any  { return int64(math.Ceil(float64(ms) / 1000)) }
func roundSeconds(ms int64) any { return int64(math.Round(float64(ms) / 1000)) }
func floating(ms int64) any     { return float64(ms) } // node-sqlite3 binds what does not fit 32 bits so
func isoString(ms int64) any    { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// expiryLast and expiryMiddle are the orders in which set takes its arguments.
func expiryLast(id, expires, document any) []any   { return []any{id, document, expires} }
func expiryMiddle(id, expires, document any) []any { return []any{id, expires, document} }

var nodePrograms = map[string]node{
	"ConnectPgSimple": {
		layout: sqlstore.ConnectPgSimple, table: "session", key: "sid", column: "expire",
		create: []string{
			`CREATE TABLE "session" ("sid" varchar NOT NULL COLLATE "default", "sess" json NOT NULL, "expire" timestamp(6) NOT NULL) WITH (OIDS=FALSE)`,
			`ALTER TABLE "session" ADD CONSTRAINT "session_pkey" PRIMARY KEY ("sid") NOT DEFERRABLE INITIALLY IMMEDIATE`,
			`CREATE INDEX "IDX_session_expire" ON "session" ("expire")`,
		},
		set:    `INSERT INTO "session" (sess, expire, sid) SELECT $3, to_timestamp($2), $1 ON CONFLICT (sid) DO UPDATE SET sess=$3, expire=to_timestamp($2)`,
		touch:  `UPDATE "session" SET expire = to_timestamp($2) WHERE sid = $1`,
		get:    `SELECT sess FROM "session" WHERE sid = $1 AND expire >= to_timestamp($2)`,
		expiry: ceilSeconds, now: ceilSeconds,
		order: expiryMiddle,
	},
	"ExpressMySQLSession": {
		layout: sqlstore.ExpressMySQLSession, table: "sessions", key: "session_id", column: "expires",
		create: []string{
			"CREATE TABLE IF NOT EXISTS `sessions` (`session_id` varchar(128) COLLATE utf8mb4_bin NOT NULL, `expires` int(11) unsigned NOT NULL, `data` mediumtext COLLATE utf8mb4_bin, PRIMARY KEY (`session_id`)) ENGINE=InnoDB",
		},
		set:    "INSERT INTO `sessions` (`session_id`, `expires`, `data`) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE `expires` = VALUES(`expires`), `data` = VALUES(`data`)",
		touch:  "UPDATE `sessions` SET `expires` = ? WHERE `session_id` = ?",
		get:    "SELECT `data` FROM `sessions` WHERE `session_id` = ? AND NOT `expires` < ?",
		expiry: roundSeconds, now: roundSeconds,
		order: expiryMiddle,
	},
	"ConnectSQLite3": {
		layout: sqlstore.ConnectSQLite3, table: "sessions", key: "sid", column: "expired",
		create: []string{"CREATE TABLE IF NOT EXISTS sessions (sid PRIMARY KEY, expired, sess)"},
		set:    "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)",
		touch:  "UPDATE sessions SET expired=? WHERE sid = ?",
		get:    "SELECT sess FROM sessions WHERE sid = ? AND ? <= expired",
		expiry: floating, now: floating,
		order: expiryMiddle,
	},
	"BetterSQLite3SessionStore": {
		layout: sqlstore.BetterSQLite3SessionStore, table: "sessions", key: "sid", column: "expire",
		create: []string{"CREATE TABLE IF NOT EXISTS sessions (sid TEXT NOT NULL PRIMARY KEY, sess JSON NOT NULL, expire TEXT NOT NULL)"},
		set:    "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)",
		touch:  "UPDATE sessions SET expire = ? WHERE sid = ?",
		get:    "SELECT sess FROM sessions WHERE sid = ? AND datetime(?) < datetime(expire)",
		expiry: isoString, now: isoString,
		order: expiryLast,
	},
}

func (n node) write(t *testing.T, db *sql.DB, id, document string, expires time.Time) {
	t.Helper()
	run(t, db, n.set, n.order(id, n.expiry(expires.UnixMilli()), document)...)
}

func (n node) move(t *testing.T, db *sql.DB, id string, expires time.Time) {
	t.Helper()
	args := []any{id, n.expiry(expires.UnixMilli())}
	if n.layout != sqlstore.ConnectPgSimple {
		args[0], args[1] = args[1], args[0]
	}
	run(t, db, n.touch, args...)
}

// read is what Node sees at the time, "" for nothing.
func (n node) read(t *testing.T, db *sql.DB, id string, at time.Time) (document string) {
	t.Helper()
	err := db.QueryRow(n.get, id, n.now(at.UnixMilli())).Scan(&document)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return document
}

// On a table that Node has made, what either side writes the other reads, to the
// second, and for as long.
func TestBesideNode(t *testing.T) {
	t.Parallel()
	for name, n := range nodePrograms {
		for _, owner := range []string{"", "nest_owner"} {
			t.Run(name+"/"+owner, func(t *testing.T) {
				t.Parallel()
				clock := newClock()
				c := sqlstore.Config{
					Dialect: layouts[name].dialect, Layout: n.layout, Now: clock.now,
					OwnerColumn: owner, Create: owner != "", OwnerOf: ownerOf,
				}
				c.DB = newDatabase(t, c.Dialect).open(t)
				for _, text := range n.create {
					run(t, c.DB, text)
				}
				n.besideNode(t, c, clock)
			})
		}
	}
}

func (n node) besideNode(t *testing.T, c sqlstore.Config, clock *clock) {
	const theirs, ours, owned = `{"cookie":{},"by":"node"}`, `{"cookie":{},"by":"go"}`, `{"cookie":{},"__nestsession":{"owner":"user:1"}}`
	s := newStore(t, c)
	ctx := t.Context()
	hour := func(h int) time.Time { return clock.now().Add(time.Duration(h)*time.Hour + 300*time.Millisecond) }

	n.write(t, c.DB, "node's", theirs, hour(1))
	r, err := s.Load(ctx, "node's")
	if err != nil || string(r.Data) != theirs || r.Owner != "" {
		t.Fatalf("Load of what Node wrote: %+v, %v", r, err)
	}
	wantNear(t, "the expiry that Node wrote", r.Expires, hour(1))
	r.Data = []byte(ours)
	if r.Version, err = s.Update(ctx, r); err != nil {
		t.Fatal(err)
	}
	if got := n.read(t, c.DB, r.ID, clock.now()); got != ours {
		t.Errorf("Node reads %q after our Update", got)
	}
	n.move(t, c.DB, r.ID, hour(3))
	if r, err = s.Load(ctx, r.ID); err != nil {
		t.Fatalf("Load of what Node touched: %v", err)
	}
	wantNear(t, "the expiry that Node has moved", r.Expires, hour(3))

	// Ours: the very time that Node would write, read by Node until then, and not after it.
	created := create(t, s, store.Record{ID: "ours", Owner: "user:1", Data: []byte(owned), Expires: hour(1)})
	n.write(t, c.DB, "twin", owned, hour(1))
	var times int
	if err := c.DB.QueryRow("SELECT count(DISTINCT " + n.column + ") FROM " + n.table + " WHERE " + n.key + " IN ('ours', 'twin')").Scan(&times); err != nil || times != 1 {
		t.Errorf("Node and we wrote %d times for one expiry: %v", times, err)
	}
	if err := s.Delete(ctx, "twin"); err != nil {
		t.Error(err)
	}
	for _, check := range []struct {
		after time.Duration
		want  string
	}{{0, owned}, {59 * time.Minute, owned}, {time.Hour - 1500*time.Millisecond, owned}, {time.Hour + 3*time.Second, ""}} {
		if got := n.read(t, c.DB, "ours", clock.now().Add(check.after)); got != check.want {
			t.Errorf("after %v Node reads %q, want %q", check.after, got, check.want)
		}
	}
	// Node saves it as it is: its owner is still found.
	wantListed(t, s, "user:1", "ours")
	n.write(t, c.DB, "ours", owned+" ", hour(2))
	wantListed(t, s, "user:1", "ours")
	created.Data = []byte(theirs)
	if _, err := s.Update(ctx, created); !errors.Is(err, store.ErrConflict) && err == nil {
		t.Errorf("Update of what Node has saved since: %v", err)
	}
	n.write(t, c.DB, "Node knows the owner", owned, hour(2))
	wantListed(t, s, "user:1", "Node knows the owner", "ours")

	// What ends here ends there, also for a request of Node's that is under way and
	// touches in the end.
	created, err = s.Load(ctx, "ours")
	if err != nil {
		t.Fatal(err)
	}
	created.Owner, created.Data, created.Expires = "", []byte(`{"cookie":{}}`), clock.now()
	if _, err := s.Update(ctx, created); err != nil {
		t.Fatal(err)
	}
	if got := n.read(t, c.DB, "ours", clock.now()); got != "" {
		t.Errorf("Node reads %q of a session that has ended", got)
	}
	if err := s.Delete(ctx, "ours"); err != nil {
		t.Fatal(err)
	}
	n.move(t, c.DB, "ours", hour(5))
	if got := n.read(t, c.DB, "ours", clock.now()); got != "" {
		t.Errorf("Node reads %q of a session that it has touched after its end", got)
	}

	// Without an expiry it lives as long as Node's do.
	create(t, s, store.Record{ID: "no expiry", Data: []byte(ours)})
	if r, err = s.Load(ctx, "no expiry"); err != nil {
		t.Fatal(err)
	}
	wantNear(t, "the expiry of a session that has none", r.Expires, clock.now().Add(sqlstore.DefaultTTL))
	if err := s.Touch(ctx, "no expiry", time.Time{}); err != nil {
		t.Fatal(err)
	}

	clock.advance(10 * time.Hour)
	if n, err := s.Sweep(ctx); n != 2 || err != nil {
		t.Errorf("Sweep removed %d of node's and the one whose owner Node knows: %v", n, err)
	}
	if got := n.read(t, c.DB, "no expiry", clock.now()); got != ours {
		t.Errorf("Node reads %q of what is to live for a day", got)
	}
}

func wantNear(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if d := got.Sub(want).Abs(); d >= time.Second {
		t.Errorf("%s: %v, want %v", what, got.UTC(), want.UTC())
	}
}
