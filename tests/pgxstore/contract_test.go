package pgxstore_test

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/store/sqlstore"
	"github.com/nestsession/session/store/storetest"
	"github.com/nestsession/session/store/storetest/linear"
)

// nodes is how many instances with pools of their own share a table.
const nodes = 2

// clock is one that a test moves. It starts at the present, for the trigger goes by the
// database's.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Now().Truncate(time.Second).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// opener opens stores on a table of their own, one for each of the nodes.
func opener(t *testing.T, c pgxstore.Config, front func(*testing.T, store.Store) store.Store) func(*testing.T, func() time.Time) storetest.Opened {
	dsn := servers.SharedPostgres(t).NewDatabase(t)
	var pools []*pgxpool.Pool
	for range nodes {
		pools = append(pools, newPool(t, dsn, "&pool_max_conns=8"))
	}
	return func(t *testing.T, now func() time.Time) storetest.Opened {
		c := c
		c.Table, c.Now = table(), now
		var all []store.Store
		for _, pool := range pools {
			all = append(all, front(t, newStore(t, pool, c)))
		}
		return storetest.Opened{Store: all[0], Peers: all[1:], Now: now}
	}
}

func plain(_ *testing.T, s store.Store) store.Store { return s }

func options(c pgxstore.Config) storetest.Options {
	o := storetest.Options{Parallel: true, Without: map[storetest.Capability]string{
		storetest.TouchEvents: "a report has its price, and nobody waits for an expiry that comes later",
	}}
	if c.Layout == sqlstore.ConnectPgSimple {
		o.Resolution = time.Second
		o.Without[storetest.AnyBytes] = "the column keeps text"
	}
	return o
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := opener(t, c, plain)
			storetest.Run(t, func(t *testing.T) storetest.Opened {
				clock := newClock()
				o := open(t, clock.now)
				o.Advance = clock.advance
				return o
			}, options(c))
		})
	}
}

// both is a cache whose Close closes the store behind as well.
type both struct {
	*nearcache.Cache
	behind io.Closer
}

func (b both) Close() error { return errors.Join(b.Cache.Close(), b.behind.Close()) }

// cached puts a cache in front of a store.
func cached(t testing.TB, s store.Store, c nearcache.Config) *nearcache.Cache {
	t.Helper()
	near, err := nearcache.New(s, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	return near
}

// A cache in front keeps the contract, in real time.
func TestLongContractThroughTheCache(t *testing.T) {
	t.Parallel()
	const stale = 300 * time.Millisecond
	c := pgxstore.Config{Create: true, Heartbeat: stale / 3}
	open := opener(t, c, func(t *testing.T, s store.Store) store.Store {
		return both{cached(t, s, nearcache.Config{MaxStale: stale}), s.(io.Closer)}
	})
	o := options(c)
	o.Lag = 10 * stale // the machine may be slow
	storetest.Run(t, func(t *testing.T) storetest.Opened { return open(t, nil) }, o)
}

func TestLinearizable(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := opener(t, c, plain)
			linear.Check(t, func(t *testing.T) storetest.Opened { return open(t, nil) }, linear.Options{Resolution: options(c).Resolution})
		})
	}
}
