package nearcache_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/store/storetest"
)

// quiet is a store that reports no changes.
type quiet struct{ store.Store }

// both is a cache whose Close closes the store behind as well.
type both struct {
	*nearcache.Cache
	behind io.Closer
}

func (b both) Close() error { return errors.Join(b.Cache.Close(), b.behind.Close()) }

func open(t testing.TB, inner store.Store, c nearcache.Config) *nearcache.Cache {
	t.Helper()
	n, err := nearcache.New(inner, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// A cache fulfils the contract of the store behind it, but may see writes of other nodes
// later, within MaxStale.
func TestContract(t *testing.T) {
	t.Parallel()
	const stale = 100 * time.Millisecond
	for name, wrap := range map[string]func(store.Store) store.Store{
		"watched": func(s store.Store) store.Store { return s },
		"quiet":   func(s store.Store) store.Store { return quiet{s} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := storetest.Options{Lag: 2 * stale, Synctest: true, Parallel: true}
			if name == "quiet" {
				without := "a store that does without it is what is tested"
				options.Without = map[storetest.Capability]string{
					storetest.Watcher: without, storetest.Lister: without, storetest.Sweeper: without, storetest.Pinger: without,
				}
			}
			storetest.Run(t, func(t *testing.T) storetest.Opened {
				mem := memstore.New(memstore.Config{SweepInterval: time.Hour})
				t.Cleanup(func() { mem.Close() })
				c := nearcache.Config{MaxStale: stale}
				return storetest.Opened{
					Store: both{open(t, wrap(mem), c), mem},
					Peers: []store.Store{open(t, wrap(mem), c), open(t, wrap(mem), c)},
				}
			}, options)
		})
	}
}
