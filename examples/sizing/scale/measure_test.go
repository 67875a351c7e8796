package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/rueidis"
	_ "modernc.org/sqlite"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/natsstore/embedded"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// calls is how many calls of each kind are counted, after warm more that are not.
const calls, warm = 60, 10

// record is the i-th session, with an owner and a document of 267 bytes, as in package sizing.
func record(i int) store.Record { return changed(i, 0) }

// changed is the i-th session after n saves: as long as before, and different, since a save that
// changes nothing is no change for a trigger or for MariaDB.
func changed(i, n int) store.Record {
	sum := sha256.Sum256(fmt.Appendf(nil, "id %d", i))
	return store.Record{
		ID: base64.RawURLEncoding.EncodeToString(sum[:]),
		Data: fmt.Appendf(nil, `{"cookie":{"originalMaxAge":604800000,"expires":"2026-11-30T18:07:49.000Z","secure":true,"httpOnly":true,"path":"/","sameSite":"lax"},`+
			`"user":"ada-%06d@example.test","role":"buyer","__nestsession":{"created":1795452469000,"used":%d,"owner":"user:%06d"}}`, i, 1795452469000+n, i),
		Expires: time.Now().Add(7 * 24 * time.Hour),
		Owner:   fmt.Sprintf("user:%06d", i),
	}
}

// node is a store, and the wire between it and its server.
type node struct {
	store.Store
	wire *wire
}

// count makes calls of one kind, one after another, and returns what one of them takes: the median, since
// on a busy machine a few are sent again.
func (n node) count(t *testing.T, call func(ctx context.Context, i int) error) traffic {
	t.Helper()
	var up, down, rounds []float64
	for i := range warm + calls {
		before := n.wire.now()
		if err := call(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		if took := n.wire.now().minus(before); i >= warm {
			up, down, rounds = append(up, took.up), append(down, took.down), append(rounds, took.rounds)
		}
	}
	return traffic{median(up), median(down), median(rounds)}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// all counts each kind of call.
func (n node) all(t *testing.T) map[string]traffic {
	t.Helper()
	records := make([]store.Record, warm+calls)
	measured := map[string]traffic{}
	measured["login"] = n.count(t, func(ctx context.Context, i int) (err error) {
		records[i] = record(i)
		records[i].Version, err = n.Create(ctx, records[i])
		return err
	})
	measured["read"] = n.count(t, func(ctx context.Context, i int) error {
		_, err := n.Load(ctx, records[i].ID)
		return err
	})
	measured["save"] = n.count(t, func(ctx context.Context, i int) (err error) {
		r := changed(i, 1)
		r.Version = records[i].Version
		records[i].Version, err = n.Update(ctx, r)
		return err
	})
	measured["touch"] = n.count(t, func(ctx context.Context, i int) error {
		return n.Touch(ctx, records[i].ID, records[i].Expires.Add(time.Hour))
	})
	measured["logout"] = n.count(t, func(ctx context.Context, i int) error {
		return n.Delete(ctx, records[i].ID)
	})
	return measured
}

// TestMeasuredCalls: the bytes and the round trips of each call are those of the table of constants.
func TestMeasuredCalls(t *testing.T) {
	for _, c := range []struct {
		costs
		start func(*testing.T) node
	}{
		{redisCosts, startRedis}, {postgresCosts, startPostgres}, {mariaCosts, startMariaDB},
		{natsOneCosts, startNATS(1)}, {natsThreeCosts, startNATS(3)},
	} {
		t.Run(c.name, func(t *testing.T) {
			measured := c.start(t).all(t)
			for kind, want := range map[string]traffic{
				"login": c.login, "read": c.read, "save": c.save, "touch": c.touch, "logout": c.logout,
			} {
				got := measured[kind]
				near(t, kind+", bytes to the server", got.up, want.up)
				near(t, kind+", bytes from the server", got.down, want.down)
				near(t, kind+", round trips", got.rounds, want.rounds)
			}
		})
	}
}

// near checks a constant of the model: within a tenth, or 10 bytes, since drivers and servers differ a
// little from version to version. Round trips are whole; a tenth is for a packet that came in two.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	t.Logf("%s: %.2f", what, got)
	slack := max(want/10, 10)
	if strings.HasSuffix(what, "round trips") {
		slack = 0.2
	}
	if got < want-slack || got > want+slack {
		t.Errorf("%s: %.2f, the model has %.2f", what, got, want)
	}
}

func startRedis(t *testing.T) node {
	w := startWire(t, servers.StartRedis(t, servers.RedisOptions{}).Addr())
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{w.addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s, err := redisstore.New(t.Context(), redisstore.Config{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return node{s, w}
}

// at is a URL with another address.
func at(t *testing.T, text, addr string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = addr
	return u.String()
}

func openPostgres(t *testing.T, server, dsn string) node {
	w := startWire(t, server)
	pool, err := pgxpool.New(t.Context(), at(t, dsn, w.addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s, err := pgxstore.New(t.Context(), pool, pgxstore.Config{Create: true, SweepInterval: -1, Heartbeat: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return node{s, w}
}

func startPostgres(t *testing.T) node {
	p := servers.StartPostgres(t, servers.PostgresOptions{})
	return openPostgres(t, p.Addr(), p.NewDatabase(t))
}

func startMariaDB(t *testing.T) node {
	m := servers.StartMariaDB(t, servers.MariaDBOptions{})
	w := startWire(t, m.Addr())
	db, err := sql.Open("mysql", strings.Replace(m.NewDatabase(t), m.Addr(), w.addr, 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db, Dialect: sqlstore.MySQL, Create: true, SweepInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return node{s, w}
}

// freePort returns an address that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

const secret = "a secret of the measurement"

// serveNATS starts servers and returns the address of the first for clients.
func serveNATS(t *testing.T, n int) string {
	clients, _, _ := clusterNATS(t, n)
	return clients
}

// clusterNATS also returns the servers and their folders.
func clusterNATS(t *testing.T, n int) (clients string, all []*embedded.Server, folders []string) {
	t.Helper()
	clients = freePort(t)
	var routes []string
	for range n {
		routes, folders = append(routes, freePort(t)), append(folders, t.TempDir())
	}
	all = make([]*embedded.Server, n)
	var starting sync.WaitGroup
	for i := range n {
		c := embedded.Config{Name: fmt.Sprintf("node%d", i), Folder: folders[i], Secret: secret}
		if i == 0 {
			c.Clients = clients
		}
		if n > 1 {
			c.Listen, c.Routes = routes[i], routes
		}
		starting.Go(func() {
			server, err := embedded.Start(t.Context(), c)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = server.Close() })
			all[i] = server
		})
	}
	if starting.Wait(); t.Failed() {
		t.FailNow()
	}
	return clients, all, folders
}

func openNATS(t *testing.T, addr string) node {
	w := startWire(t, addr)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	u := url.URL{Scheme: "nats", User: url.UserPassword("nest", secret), Host: w.addr}
	s, err := natsstore.Open(ctx, u.String(), natsstore.Config{Timeout: time.Minute, Heartbeat: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return node{s, w}
}

func startNATS(n int) func(t *testing.T) node {
	return func(t *testing.T) node { return openNATS(t, serveNATS(t, n)) }
}

// watched is a node that watches, and what was reported to it.
type watched struct {
	node
	events chan store.Event
}

func watch(t *testing.T, n node) watched {
	t.Helper()
	watcher, ok := store.As[store.Watcher](n.Store)
	if !ok {
		t.Fatal("the store does not report changes")
	}
	w := watched{n, make(chan store.Event, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		_ = watcher.Watch(ctx, func(e store.Event) {
			select {
			case w.events <- e:
			case <-ctx.Done():
			}
		})
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	<-w.events // the zero Event: from now on it reports changes
	return w
}

// await returns when the node was notified of the session.
func (w watched) await(t *testing.T, id string) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case e := <-w.events:
			if e.Concerns(id) {
				return
			}
		case <-late:
			t.Fatal("no event within a minute")
		}
	}
}

// watching are the stores that report changes, without heartbeats, which go by the clock.
var watching = map[string]func(*testing.T) func() node{
	redisCosts.name: func(t *testing.T) func() node {
		r := servers.StartRedis(t, servers.RedisOptions{})
		return func() node {
			w := startWire(t, r.Addr())
			o := rueidis.ClientOption{InitAddress: []string{w.addr}}
			s, err := redisstore.Open(t.Context(), o, redisstore.Config{Heartbeat: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return node{s, w}
		}
	},
	postgresCosts.name: func(t *testing.T) func() node {
		p := servers.StartPostgres(t, servers.PostgresOptions{})
		dsn := p.NewDatabase(t)
		return func() node { return openPostgres(t, p.Addr(), dsn) }
	},
	natsOneCosts.name: func(t *testing.T) func() node {
		addr := serveNATS(t, 1)
		return func() node { return openNATS(t, addr) }
	},
}

// TestMeasuredNotifications: what a node receives for each save by another, and what its own saves
// take while it watches. It does not grow with the nodes. Each save waits until the one before was
// reported to all, so that none shares a notification: this is the most that one takes.
func TestMeasuredNotifications(t *testing.T) {
	const saves = 20 // each waits for PostgreSQL's polls
	for _, c := range []costs{redisCosts, postgresCosts, natsOneCosts} {
		name, start := c.name, watching[c.name]
		for _, others := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, %d others", name, others), func(t *testing.T) {
				open := start(t)
				writer := watch(t, open())
				var rest []watched
				for range others {
					rest = append(rest, watch(t, open()))
				}
				r := record(0)
				var err error
				if r.Version, err = writer.Create(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				var poll traffic
				if c.pollsASec > 0 {
					poll = idle(rest[0].node)
					near(t, "a poll, bytes to the server", poll.up, c.poll.up)
					near(t, "a poll, bytes from the server", poll.down, c.poll.down)
				}
				var own traffic
				before := make([]traffic, others)
				for i := range warm + saves {
					if i == warm {
						own = writer.wire.now()
						for k, n := range rest {
							before[k] = n.wire.now()
						}
					}
					version := r.Version
					r = changed(0, i+1)
					r.Version = version
					if r.Version, err = writer.Update(t.Context(), r); err != nil {
						t.Fatal(err)
					}
					writer.await(t, r.ID)
					for _, n := range rest {
						n.await(t, r.ID)
					}
				}
				own = writer.wire.now().minus(own)
				if c.pollsASec == 0 { // else it is not known which bytes are those of polls
					near(t, "a save by a node that watches, bytes to the server", own.up/saves, c.save.up+c.echo.up)
					near(t, "a save by a node that watches, bytes from the server", own.down/saves, c.save.down+c.echo.down+c.notice)
				}
				for k, n := range rest {
					got := n.wire.now().minus(before[k])
					got.down -= got.rounds * poll.down
					near(t, "another node, bytes of each save", got.down/saves, c.notice)
				}
			})
		}
	}
}

// TestMeasuredOtherNotices: which stores report touches, logins and logouts as well. Another node gets
// as many bytes as the model counts for a save, or fewer; a call that is not reported takes none.
func TestMeasuredOtherNotices(t *testing.T) {
	for _, c := range []costs{redisCosts, postgresCosts, natsOneCosts} {
		t.Run(c.name, func(t *testing.T) {
			open := watching[c.name](t)
			writer, other := open(), watch(t, open())
			last := record(calls)
			var err error
			if last.Version, err = writer.Create(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			// flush returns when the node has got what was reported before.
			flush := func(n int) {
				t.Helper()
				r := changed(calls, n)
				r.Version = last.Version
				if last.Version, err = writer.Update(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				other.await(t, r.ID)
			}
			flush(1)
			var poll traffic
			if c.pollsASec > 0 {
				poll = idle(other.node)
			}
			kinds := []struct {
				name     string
				reported bool
				call     func(r store.Record) error
			}{
				{"login", c.touches, func(r store.Record) error { _, err := writer.Create(t.Context(), r); return err }},
				{"touch", c.touches, func(r store.Record) error {
					return writer.Touch(t.Context(), r.ID, r.Expires.Add(time.Hour))
				}},
				{"logout", true, func(r store.Record) error { return writer.Delete(t.Context(), r.ID) }},
			}
			// measure returns the bytes that the node gets for a call.
			measure := func(n int, call func(r store.Record) error) float64 {
				t.Helper()
				before := other.wire.now()
				done := make(chan error, 1)
				go func() {
					for k := range calls {
						if err := call(record(k)); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
				for waiting := true; waiting; { // and take the events, so that none is held up
					select {
					case err := <-done:
						if err != nil {
							t.Fatal(err)
						}
						waiting = false
					case <-other.events:
					}
				}
				flush(n)
				got := other.wire.now().minus(before)
				got.down -= got.rounds*poll.down + c.notice
				return got.down / calls
			}
			var least [3]float64
			for round := range 2 { // what a connection has to say once only adds, in one of them
				for i, kind := range kinds {
					each := measure(round*len(kinds)+i+2, kind.call)
					t.Logf("%s: %.1f", kind.name, each)
					if round == 0 || each < least[i] {
						least[i] = each
					}
				}
			}
			for i, kind := range kinds {
				each := least[i]
				if kind.reported && (each < c.notice/2 || each > 1.1*c.notice) {
					t.Errorf("another node gets %.1f bytes for a %s, want at most %.0f, about", each, kind.name, c.notice)
				}
				if !kind.reported && each > 5 {
					t.Errorf("another node gets %.1f bytes for a %s, which is not reported", each, kind.name)
				}
			}
		})
	}
}

// idle returns what a poll takes while nothing changes. The polls before are not counted: a node that has
// just begun to watch looks at the trigger, too.
func idle(n node) traffic {
	_ = polled(n, warm)
	return polled(n, calls/2)
}

func polled(n node, polls float64) traffic {
	before := n.wire.now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n.wire.now().minus(before).rounds < polls {
		<-tick.C
	}
	got := n.wire.now().minus(before)
	return got.by(got.rounds)
}

// TestMeasuredLogs: what a save adds to the log on the server's disk, between two checkpoints.
func TestMeasuredLogs(t *testing.T) {
	const sessions = 800
	saves := func(t *testing.T, s store.Store, size func() int64) float64 {
		t.Helper()
		records := make([]store.Record, sessions)
		for i := range records {
			var err error
			records[i] = record(i)
			if records[i].Version, err = s.Create(t.Context(), records[i]); err != nil {
				t.Fatal(err)
			}
		}
		before := size()
		for i := range records {
			r := changed(i, 1)
			r.Version = records[i].Version
			if _, err := s.Update(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		return float64(size()-before) / sessions
	}
	number := func(t *testing.T, text string) int64 {
		t.Helper()
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Run("PostgreSQL", func(t *testing.T) {
		p := servers.StartPostgres(t, servers.PostgresOptions{})
		dsn := p.NewDatabase(t)
		name, _, _ := strings.Cut(path.Base(dsn), "?")
		got := saves(t, openPostgres(t, p.Addr(), dsn), func() int64 {
			return number(t, p.Exec(t, name, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"))
		})
		near(t, "log of a save", got, postgresCosts.log)
		if rows := number(t, p.Exec(t, name, "SELECT count(*) FROM nest_sessions_nest_changes")); rows != sessions {
			t.Errorf("%d rows of changes for %d saves", rows, sessions)
		}
	})
	t.Run("Redis", func(t *testing.T) {
		r := servers.StartRedis(t, servers.RedisOptions{})
		if _, err := r.Do(t.Context(), "CONFIG", "SET", "appendonly", "yes"); err != nil {
			t.Fatal(err)
		}
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.Addr()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		s, err := redisstore.New(t.Context(), redisstore.Config{Client: client})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		info := func() map[string]string {
			t.Helper()
			info, err := r.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return info
		}
		// The server counts what it writes beside the first file only when that file is finished.
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for now := info(); now["aof_rewrite_in_progress"] != "0" || now["aof_rewrite_scheduled"] != "0"; now = info() {
			<-tick.C
		}
		near(t, "log of a save", saves(t, s, func() int64 { return number(t, info()["aof_current_size"]) }), redisCosts.log)
	})
	t.Run("SQLite", func(t *testing.T) {
		file := path.Join(t.TempDir(), "sessions.db")
		db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=wal_autocheckpoint(0)")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		db.SetMaxOpenConns(1)
		s, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db, Dialect: sqlstore.SQLite, Create: true, SweepInterval: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		near(t, "log of a save", saves(t, s, func() int64 { return bytesBelow(t, file+"-wal") }), sqliteCosts.log)
	})
	for n, c := range map[int]costs{1: natsOneCosts, 3: natsThreeCosts} {
		t.Run(c.name, func(t *testing.T) {
			_, all, folders := clusterNATS(t, n)
			conn, err := all[0].Connect()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Close)
			s, err := natsstore.New(t.Context(), natsstore.Config{Conn: conn, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			near(t, "log of a save on each server", saves(t, s, func() (sum int64) {
				for _, folder := range folders {
					sum += bytesBelow(t, path.Join(folder, "jetstream"))
				}
				return sum
			})/float64(n), c.log)
		})
	}
	t.Run("MariaDB", func(t *testing.T) {
		m := servers.StartMariaDB(t, servers.MariaDBOptions{})
		db, err := sql.Open("mysql", m.NewDatabase(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		s, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db, Dialect: sqlstore.MySQL, Create: true, SweepInterval: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		got := saves(t, s, func() (n int64) {
			var name string
			if err := db.QueryRow("SHOW GLOBAL STATUS LIKE 'Innodb_lsn_current'").Scan(&name, &n); err != nil {
				t.Fatal(err)
			}
			return n
		})
		// InnoDB's own work in the background is logged as well, so it differs from run to run.
		t.Logf("log of a save: %.0f", got)
		if want := mariaCosts.log; got < want*2/3 || got > want*4/3 {
			t.Errorf("log of a save: %.0f, the model has %.0f", got, want)
		}
	})
}

// bytesBelow is the size of a file, or of all files below a folder. The server may remove some meanwhile.
func bytesBelow(t *testing.T, name string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(name, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
