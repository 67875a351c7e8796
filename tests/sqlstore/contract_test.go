package sqlstore_test

import (
	"database/sql"
	"maps"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
	"github.com/nestsession/session/store/storetest"
)

// nodes is how many instances with pools of their own share a table.
const nodes = 3

// contract runs the kit on a table of its own for each case.
func contract(t *testing.T, d sqlstore.Dialect, c sqlstore.Config, o storetest.Options, front func(store.Store) store.Store) {
	o.Parallel, o.Timeout = true, maxWait
	open := opener(t, d, c, front)
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		clock := newClock()
		opened := open(t, clock.now)
		opened.Advance = clock.advance
		return opened
	}, o)
}

// opener opens stores on a table of their own, one for each of the nodes.
func opener(t *testing.T, d sqlstore.Dialect, c sqlstore.Config, front func(store.Store) store.Store) func(t *testing.T, now func() time.Time) storetest.Opened {
	pools := func(t *testing.T, db *database) (pools []*sql.DB) {
		for range nodes {
			pools = append(pools, db.open(t, db.hasty()))
		}
		return pools
	}
	db := newDatabase(t, d)
	shared := pools(t, db)
	return func(t *testing.T, now func() time.Time) storetest.Opened {
		c, pool := c, shared
		c.Dialect, c.Create, c.Now, c.Table = d, true, now, db.table()
		if d == sqlstore.SQLite {
			pool = pools(t, newDatabase(t, d)) // a file has one writer at a time
		}
		if c.Layout == sqlstore.ExpressMySQLSession {
			// The package's own collation pads: "a" and "a " would be one key.
			run(t, pool[0], "CREATE TABLE "+c.Table+" (session_id varchar(128) COLLATE utf8mb4_nopad_bin PRIMARY KEY, expires int(11) unsigned NOT NULL, data mediumtext COLLATE utf8mb4_bin)")
		}
		opened := storetest.Opened{Now: now}
		for i := range pool {
			c.DB = pool[i]
			s := front(newStore(t, c))
			if i == 0 {
				opened.Store = s
				continue
			}
			opened.Peers = append(opened.Peers, s)
		}
		return opened
	}
}

func plain(s store.Store) store.Store { return s }

func TestContractNative(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			without := map[storetest.Capability]string{storetest.Watcher: "callers poll"}
			if d != sqlstore.Postgres {
				without[storetest.UniqueVersions] = "a version is a digest of what is stored"
			}
			contract(t, d, sqlstore.Config{}, storetest.Options{Without: without}, plain)
		})
	}
}

// In real time, as the zero Config has it.
func TestContractInRealTime(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		db := newDatabase(t, sqlstore.SQLite)
		c := sqlstore.Config{Dialect: sqlstore.SQLite, Create: true}
		c.DB = db.open(t)
		s := newStore(t, c)
		c.DB = db.open(t)
		return storetest.Opened{Store: s, Peers: []store.Store{newStore(t, c)}}
	}, storetest.Options{Parallel: true, Timeout: maxWait, Without: map[storetest.Capability]string{
		storetest.Watcher:        "callers poll",
		storetest.UniqueVersions: "a version is a digest of what is stored",
	}})
}

// foreign is what tables of other programs do without.
var foreign = map[storetest.Capability]string{
	storetest.Watcher:        "callers poll",
	storetest.UniqueVersions: "a version is a digest of what is stored",
	storetest.AnyBytes:       "the column keeps text",
}

func foreignOptions(l sqlstore.Layout) storetest.Options {
	o := storetest.Options{Without: maps.Clone(foreign)}
	switch l {
	case sqlstore.ConnectPgSimple:
		delete(o.Without, storetest.UniqueVersions)
		o.Resolution = time.Second
	case sqlstore.ExpressMySQLSession:
		o.Resolution = time.Second
		o.Without[storetest.LongIDs] = "session_id is a varchar(128)"
	}
	return o
}

func TestContractForeign(t *testing.T) {
	t.Parallel()
	for name, l := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front := plain
			if l.dialect == sqlstore.SQLite {
				front = inDocument // the column is worked out from the document
			}
			contract(t, l.dialect, sqlstore.Config{Layout: l.layout, OwnerColumn: "nest_owner", TTL: sqlstore.NoTTL}, foreignOptions(l.layout), front)
		})
	}
}

// TestLongContractForeign is for tables without a column for the owner.
func TestLongContractForeign(t *testing.T) {
	t.Parallel()
	for name, l := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contract(t, l.dialect, sqlstore.Config{Layout: l.layout, OwnerOf: ownerOf, TTL: sqlstore.NoTTL}, foreignOptions(l.layout), inDocument)
		})
	}
}
