package pgxstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// A transaction that had changed a session before a node began to watch, and that ends
// later, is reported. If it takes long, everything is rechecked.
func TestTransactionFromBefore(t *testing.T) {
	t.Parallel()
	c := layouts["Native"]
	p := newPair(t, c)
	r := create(t, p.here, record("a"))
	for _, took := range []time.Duration{100 * time.Millisecond, 3 * time.Second} {
		tx, err := p.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "UPDATE nest_sessions SET data = data || '\\x20'"); err != nil {
			t.Fatal(err)
		}
		e := &recorder{t: t}
		ctx, stop := context.WithCancel(t.Context())
		c.Heartbeat = 50 * time.Millisecond
		node := newStore(t, newPool(t, p.dsn), c)
		go func() { _ = node.Watch(ctx, e.onEvent) }()
		wait(t, took)
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		eventually(t, "a heartbeat after the commit", func() bool { return e.wholeSince(now) })
		e.mu.Lock()
		if len(e.events) == 0 && e.lost == 0 {
			t.Errorf("a transaction of %v was not reported", took)
		}
		if took > time.Second && e.lost < 2 {
			t.Errorf("after a transaction of %v that had begun before, not everything is rechecked", took)
		}
		e.mu.Unlock()
		stop()
	}
	if _, err := p.there.Load(t.Context(), r.ID); err != nil {
		t.Error(err)
	}
}

// A transaction that is running while a node watches is reported when it ends, with later
// ones that ended before it.
func TestTransactionsThatOverlap(t *testing.T) {
	t.Parallel()
	p := newPair(t, layouts["Native"])
	create(t, p.here, record("slow"))
	create(t, p.here, record("quick"))
	tx, err := p.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "DELETE FROM nest_sessions WHERE id = 'slow'"); err != nil {
		t.Fatal(err)
	}
	if err := p.here.Delete(t.Context(), "quick"); err != nil {
		t.Fatal(err)
	}
	if got := p.watch.only("the quick one"); got != (store.Event{Digest: store.DigestOf("quick"), Ended: true}) {
		t.Errorf("%+v", got)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.watch.only("the slow one"); got != (store.Event{Digest: store.DigestOf("slow"), Ended: true}) {
		t.Errorf("%+v", got)
	}
}

// Changes are removed after a while, by later ones.
func TestOldChangesAreRemoved(t *testing.T) {
	t.Parallel()
	p := newPair(t, layouts["Native"])
	exec(t, p.pool, "INSERT INTO "+changesOf(p.config)+" (tx, message, at) SELECT 1, 'all', now() - interval '2 minutes' FROM generate_series(1, 1000)")
	r := create(t, p.here, record("a"))
	eventually(t, "no old change", func() bool {
		for range 50 {
			r.Data = append([]byte(nil), append(r.Data, ' ')...)
			v, err := p.here.Update(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			r.Version = v
		}
		var old, all int
		err := p.pool.QueryRow(t.Context(), "SELECT count(*) FILTER (WHERE tx = 1), count(*) FROM "+changesOf(p.config)).Scan(&old, &all)
		if err != nil {
			t.Fatal(err)
		}
		if all == 0 {
			t.Fatal("new changes were removed")
		}
		return old == 0
	})
}

// However many changes a minute has, a save that removes old ones looks at few of them.
func TestRemovingOldChangesReadsFew(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, c)
			create(t, p.here, record("a"))
			exec(t, p.pool, "INSERT INTO "+changesOf(p.config)+" (tx, message) SELECT i, 'all' FROM generate_series(1, 50000) i")
			exec(t, p.pool, "ANALYZE "+changesOf(p.config))
			tx, err := p.pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
			var seed float64 // with which the next random number is below 0.01: the trigger removes
			reset := func() {
				if _, err := tx.Exec(t.Context(), "SELECT setseed($1)", seed); err != nil {
					t.Fatal(err)
				}
			}
			for chance := 1.0; chance >= 0.01; {
				seed += 0.0001
				reset()
				if err := tx.QueryRow(t.Context(), "SELECT random()").Scan(&chance); err != nil {
					t.Fatal(err)
				}
			}
			reset()
			before := read(t, tx, p.config)
			earlier := "expires = expires - 1"
			if c.Layout == sqlstore.ConnectPgSimple {
				earlier = "expire = expire - interval '1 second'"
			}
			if tag, err := tx.Exec(t.Context(), "UPDATE "+quoted(p.config)+" SET "+earlier); err != nil || tag.RowsAffected() != 1 {
				t.Fatal(tag, err)
			}
			if n := read(t, tx, p.config) - before; n < 400 || n > 4000 {
				t.Errorf("%d changes were read, of 50,000; want some hundreds", n)
			}
		})
	}
}

// read returns how many changes the transaction has read.
func read(t *testing.T, tx pgx.Tx, c pgxstore.Config) (n int) {
	t.Helper()
	err := tx.QueryRow(t.Context(), "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = $1::regclass", changesOf(c)).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
