package throttle_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/internal/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// common is a database with the table, of which several servers have guards.
type common struct {
	*testing.T
	kind storeurl.Kind
	url  string
	db   *sql.DB
}

// everywhere runs a test on each kind of database.
func everywhere(t *testing.T, test func(c *common)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(newCommon(t, storeurl.SQLite, filepath.Join(t.TempDir(), "users.db")))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(newCommon(t, storeurl.Postgres, servers.SharedPostgres(t).NewDatabase(t)))
	})
	t.Run("MariaDB", func(t *testing.T) {
		t.Parallel()
		m := servers.SharedMariaDB(t)
		dsn := m.NewDatabase(t)
		test(newCommon(t, storeurl.MySQL, m.URL(dsn[strings.LastIndexByte(dsn, '/')+1:])))
	})
}

func newCommon(t *testing.T, kind storeurl.Kind, url string) *common {
	t.Helper()
	c := &common{T: t, kind: kind, url: url}
	if kind == storeurl.SQLite {
		accounts, err := users.Open(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = accounts.Close() })
		c.db = c.open()
		return c
	}
	c.db = c.open()
	if _, err := users.OpenServer(t.Context(), c.db, kind, true, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *common) open() *sql.DB {
	c.Helper()
	if c.kind == storeurl.SQLite {
		db, err := users.OpenCounts(c.url)
		if err != nil {
			c.Fatal(err)
		}
		c.Cleanup(func() { _ = db.Close() })
		return db
	}
	target, err := storeurl.ParseUsers(c.url)
	if err != nil {
		c.Fatal(err)
	}
	db, err := stores.OpenUsers(c.Context(), target)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = db.Close() })
	return db
}

func (c *common) shared(secrets ...string) *throttle.Shared {
	c.Helper()
	s, err := throttle.NewShared(c.open(), c.kind, secrets)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = s.Close() })
	return s
}

// two returns the guards of two servers, whose clocks differ by an hour.
func (c *common) two(at *clock) (pair [2]*throttle.Guard) {
	c.Helper()
	pair[0] = throttle.NewSharedGuard(c.shared("secret"), at.now)
	pair[1] = throttle.NewSharedGuard(c.shared("secret"), func() time.Time { return at.now().Add(-time.Hour) })
	return pair
}

// forward lets time pass in the database.
func (c *common) forward(at *clock, d time.Duration) {
	c.Helper()
	at.forward(d)
	if _, err := c.db.Exec(fmt.Sprintf("UPDATE nest_throttle SET empty_at = empty_at - %[1]d, lease_until = lease_until - %[1]d", d.Microseconds())); err != nil {
		c.Fatal(err)
	}
}

// within is wantAttempts with some room, because the database's clock does not stand still: an
// attempt is allowed again while others are made.
func within(t *testing.T, what string, want int, try func(i int) error) {
	t.Helper()
	begun := time.Now()
	n := attempts(t, try)
	// The slowest of the rates is counted, so that a slow machine only makes the test weaker.
	if more := int(time.Since(begun)/(15*time.Second)) + 1; n < want || n > want+more-1 {
		t.Errorf("%s: %d before the first refusal, want %d", what, n, want)
	}
}

// What the README says of one server holds for all together.
func TestServersCountTogether(t *testing.T) {
	t.Parallel()
	everywhere(t, func(c *common) {
		g := c.two(newClock())
		within(c.T, "one address, one name", 5, func(i int) error { return login(g[i%2], from(1), "kim", "", false) })
		within(c.T, "one address, other names", 15, func(i int) error { return login(g[i%2], from(1), fmt.Sprint("name", i), "", false) })
		within(c.T, "one name, other addresses", 95, func(i int) error { return login(g[i%2], from(100+i), "kim", "", false) })
		within(c.T, "a known device", 5, func(i int) error { return login(g[i%2], from(1), "kim", "phone", false) })
		within(c.T, "registrations", 20, func(i int) error { return register(c.Context(), g[i%2], 1) })
		within(c.T, "the present password", 5, func(i int) error {
			a, err := g[i%2].Password(c.Context(), from(2), 1, "kim")
			if err == nil {
				a.Wrong()
			}
			return err
		})
		for i := range g {
			var tooMany *throttle.TooMany
			if err := login(g[i], from(1), "kim", "", false); !errors.As(err, &tooMany) || tooMany.After > time.Minute {
				c.Errorf("server %d: %v, want to wait at most a minute", i, err)
			}
		}
	})
}

// Sixty-five wrong passwords in the first hour, and sixty in the next, over both servers.
func TestTheRateHoldsOverServers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(c *common) {
		at := newClock()
		g := c.two(at)
		guesses, begun := 0, time.Now()
		for minute := range 120 {
			for i := range 8 {
				if login(g[(minute+i)%2], from(1), "kim", "", false) == nil {
					guesses++
				}
			}
			if minute == 59 && guesses < 64 {
				c.Errorf("%d guesses in the first hour, want 65", guesses)
			}
			c.forward(at, time.Minute)
		}
		if more := int(time.Since(begun)/time.Minute) + 1; guesses < 120 || guesses > 125+more {
			c.Errorf("%d guesses in two hours, want 125", guesses)
		}
	})
}

// slow reports whether an attempt failed because the machine was too slow: a server waits some
// seconds for the database, and 20 for other attempts. Then it answers 503, and not 429.
func slow(err error) bool {
	return errors.Is(err, throttle.ErrBusy) || errors.Is(err, throttle.ErrUnavailable) && errors.Is(err, context.DeadlineExceeded)
}

// However many wrong attempts come at once to two servers, not more are made than to one.
func TestGuessesAtOnceAtTwoServersGainNothing(t *testing.T) {
	t.Parallel()
	everywhere(t, func(c *common) {
		g := c.two(newClock())
		var made, refused, busy atomic.Int64
		begun := time.Now()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				var tooMany *throttle.TooMany
				switch err := login(g[i%2], from(1), "kim", "", false); {
				case err == nil:
					made.Add(1)
				case errors.As(err, &tooMany):
					refused.Add(1)
				case slow(err):
					busy.Add(1)
				default:
					c.Error(err)
				}
			})
		}
		wg.Wait()
		if n, more := made.Load(), int64(time.Since(begun)/time.Minute); n < 5 && busy.Load() == 0 || n == 0 || n > 5+more || n+refused.Load()+busy.Load() != 100 {
			c.Errorf("%d guesses and %d refused, want 5 and 95", n, refused.Load())
		}
	})
}

// Seventy users who know their passwords, at one address and at two servers, wait for each other,
// and none is refused.
func TestRightLoginsInABurstOverServersAreNotRefused(t *testing.T) {
	t.Parallel()
	everywhere(t, func(c *common) {
		g := c.two(newClock())
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 70 {
			wg.Go(func() {
				<-start
				if err := login(g[i%2], from(1), fmt.Sprint("user", max(i, 10)), "", true); err != nil && !slow(err) {
					c.Errorf("login %d: %v", i, err)
				}
			})
		}
		close(start)
		wg.Wait()
		within(c.T, "guesses afterwards: right passwords count nothing", 20, func(i int) error { return login(g[i%2], from(1), fmt.Sprint("name", i), "", false) })
	})
}

// An attempt waits for those in progress on another server, and continues when one of them was
// right.
func TestAnAttemptWaitsForThoseOnAnotherServer(t *testing.T) {
	t.Parallel()
	everywhere(t, func(c *common) {
		g := c.two(newClock())
		var under []*throttle.Attempt
		for range 5 {
			a, err := g[0].Login(c.Context(), from(1), "kim", "")
			if err != nil {
				c.Fatal(err)
			}
			under = append(under, a)
		}
		short, cancel := context.WithTimeout(c.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := g[1].Login(short, from(1), "kim", ""); !errors.Is(err, throttle.ErrBusy) {
			c.Errorf("while all places are taken: %v, want ErrBusy", err)
		}
		waited := make(chan error, 1)
		go func() { waited <- login(g[1], from(1), "kim", "", true) }()
		under[0].Right()
		if err := <-waited; err != nil && !errors.Is(err, throttle.ErrBusy) {
			c.Errorf("the one that waited: %v", err)
		}
		// The server with the others is killed. They count as wrong, and nobody waits for them for long.
		if err := login(g[1], from(1), "kim", "", false); err != nil {
			c.Errorf("the place that is left: %v", err)
		}
		if _, err := c.db.Exec("UPDATE nest_throttle SET lease_until = 0"); err != nil { // as after a minute
			c.Fatal(err)
		}
		var tooMany *throttle.TooMany
		if err := login(g[1], from(1), "kim", "", false); !errors.As(err, &tooMany) {
			c.Errorf("after the lease: %v, want to hear how long to wait", err)
		}
	})
}

// An address from which somebody has logged in at one server is known at the other, also when the
// secrets are rotated. The table shows neither addresses nor names.
func TestAnAddressIsKnownAtAllServers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(c *common) {
		at := newClock()
		old := throttle.NewSharedGuard(c.shared("old"), at.now)
		if err := login(old, netip.MustParseAddr("203.0.113.77"), "kim", "", true); err != nil {
			c.Fatal(err)
		}
		both := throttle.NewSharedGuard(c.shared("new", "old"), at.now)
		within(c.T, "guesses from everywhere", 100, func(i int) error { return login([]*throttle.Guard{old, both}[i%2], from(100+i), "kim", "", false) })
		if err := login(both, netip.MustParseAddr("203.0.113.77"), "kim", "", false); err != nil {
			c.Errorf("the user, where they have logged in before: %v", err)
		}
		other := throttle.NewSharedGuard(c.shared("new"), at.now)
		if err := login(other, netip.MustParseAddr("203.0.113.78"), "kim", "", true); err != nil {
			c.Errorf("with another key: %v", err)
		}
		rows, err := c.db.Query("SELECT * FROM nest_throttle")
		if err != nil {
			c.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var key []byte
			var numbers [3]int64
			if err := rows.Scan(&key, &numbers[0], &numbers[1], &numbers[2]); err != nil {
				c.Fatal(err)
			}
			if len(key) != 32 || bytes.Contains(key, []byte("kim")) || bytes.Contains(key, []byte("203.")) || numbers[1] < 0 {
				c.Errorf("a row has %q, %v", key, numbers)
			}
		}
		if err := rows.Err(); err != nil {
			c.Fatal(err)
		}
	})
}

// What has counted nothing for an hour is removed, in steps, and nothing else.
func TestOldCountsAreRemoved(t *testing.T) {
	t.Parallel()
	everywhere(t, func(c *common) {
		at := newClock()
		s := c.shared("secret")
		g := throttle.NewSharedGuard(s, at.now)
		var values []string
		for i := range 1200 {
			values = append(values, fmt.Sprintf("(%s, %d, 0, 0)", c.literal(i), i))
		}
		if _, err := c.db.Exec("INSERT INTO nest_throttle VALUES " + strings.Join(values, ", ")); err != nil {
			c.Fatal(err)
		}
		if err := login(g, from(1), "kim", "", false); err != nil {
			c.Fatal(err)
		}
		if err := login(g, from(1), "kim", "", true); err != nil {
			c.Fatal(err)
		}
		s.Sweep(c.Context())
		c.wantRows("three counts and a known address", 4)
		c.forward(at, 2*time.Hour)
		s.Sweep(c.Context())
		c.wantRows("a known address", 1)
	})
}

// literal returns a key of 32 bytes as SQL.
func (c *common) literal(i int) string {
	if c.kind == storeurl.SQLite {
		return fmt.Sprintf("x'%064d'", i)
	}
	return fmt.Sprintf("'%032d'", i)
}

func (c *common) wantRows(what string, want int) {
	c.Helper()
	var n int
	if err := c.db.QueryRow("SELECT count(*) FROM nest_throttle").Scan(&n); err != nil || n != want {
		c.Errorf("%d rows are left, %v; want %s", n, err, what)
	}
}

// Without the database nobody is let in uncounted.
func TestWithoutTheDatabaseNoAttemptIsMade(t *testing.T) {
	t.Parallel()
	everywhere(t, func(c *common) {
		db := c.open()
		s, err := throttle.NewShared(db, c.kind, []string{"secret"})
		if err != nil {
			c.Fatal(err)
		}
		defer s.Close()
		g := throttle.NewSharedGuard(s, nil)
		if err := db.Close(); err != nil {
			c.Fatal(err)
		}
		_, password := g.Password(c.Context(), from(1), 1, "kim")
		for what, err := range map[string]error{
			"a login": login(g, from(1), "kim", "", false), "from a known device": login(g, from(1), "kim", "phone", false),
			"a registration": register(c.Context(), g, 1), "the present password": password,
		} {
			if !errors.Is(err, throttle.ErrUnavailable) {
				c.Errorf("%s: %v, want ErrUnavailable", what, err)
			}
		}
	})
}

func TestSharedNeedsASecretAndADatabase(t *testing.T) {
	t.Parallel()
	if _, err := throttle.NewShared(nil, storeurl.Postgres, nil); err == nil {
		t.Error("without a secret: no error")
	}
	if _, err := throttle.NewShared(nil, storeurl.Redis, []string{"secret"}); err == nil {
		t.Error("in Redis: no error")
	}
}
