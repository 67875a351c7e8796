package pgxstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/nestsession/session/store"
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
