package pgxstore_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// The limits, for most of the changes: the time from the end of a write until another node
// reads the change through a cache that had the old state, and the time from the end of a
// logout until a stream on another node ends. They are far below what it takes without
// events, which is the cache's MaxStale and the recheck of streams, and far above what it
// takes on a busy machine.
const (
	seenWithin  = nearcache.DefaultMaxStale / 2
	endedWithin = 5 * time.Second
)

// TestHowSoon measures, and prints the results. It does not run in parallel.
func TestHowSoon(t *testing.T) {
	dsn := servers.SharedPostgres(t).NewDatabase(t)
	one, two := newNode(t, dsn, pgxstore.Config{Create: true}), newNode(t, dsn, pgxstore.Config{})
	for _, m := range []struct {
		what   string
		within time.Duration
		took   []time.Duration
	}{
		{"a change is seen on another node", seenWithin, changesSeen(t, one, two, 500)},
		{"a stream on another node ends", endedWithin, streamsEnded(t, one, two, 500)},
	} {
		t.Logf("%s after %v (p50), %v (p99), %v (longest of %d)", m.what, percentile(m.took, 50), percentile(m.took, 99), percentile(m.took, 100), len(m.took))
		if p50 := percentile(m.took, 50); p50 > m.within {
			t.Errorf("%s after %v (p50), want %v", m.what, p50, m.within)
		}
	}
}

func BenchmarkChangeSeen(b *testing.B) {
	dsn := servers.SharedPostgres(b).NewDatabase(b)
	one, two := newNode(b, dsn, pgxstore.Config{Create: true}), newNode(b, dsn, pgxstore.Config{})
	reportPercentiles(b, changesSeen(b, one, two, max(b.N, 1)))
}

func BenchmarkStreamEnded(b *testing.B) {
	dsn := servers.SharedPostgres(b).NewDatabase(b)
	one, two := newNode(b, dsn, pgxstore.Config{Create: true}), newNode(b, dsn, pgxstore.Config{})
	reportPercentiles(b, streamsEnded(b, one, two, max(b.N, 1)))
}

func reportPercentiles(b *testing.B, took []time.Duration) {
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(percentile(took, p).Microseconds()), fmt.Sprintf("µs/p%d", p))
	}
}

func percentile(took []time.Duration, p int) time.Duration {
	took = slices.Sorted(slices.Values(took))
	return took[max((len(took)*p+99)/100-1, 0)]
}

// changesSeen changes a session on one node, n times, and reads it on another until the
// change is there.
func changesSeen(t testing.TB, one, two *node, n int) (took []time.Duration) {
	t.Helper()
	ctx := context.Background()
	r := create(t, one.near, record("measured"))
	watching(t, two)
	for i := range n {
		if _, err := two.near.Load(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
		r.Data = fmt.Appendf(nil, `{"n":%d}`, i)
		v, err := one.near.Update(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		written := time.Now()
		for r.Version = v; ; wait(t, 20*time.Microsecond) {
			got, err := two.near.Load(ctx, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.Version == v {
				break
			}
		}
		took = append(took, time.Since(written))
	}
	return took
}

// watching waits until the node's cache receives events.
func watching(t testing.TB, n *node) {
	t.Helper()
	w, _ := store.As[store.Watcher](n.near)
	e := listenTo(t, w)
	now := time.Now()
	eventually(t, "a heartbeat", func() bool { return e.wholeSince(now) })
	e.stop()
}

// streamsEnded logs out n users on one node while they have a stream open on another.
func streamsEnded(t testing.TB, one, two *node, n int) (took []time.Duration) {
	t.Helper()
	watching(t, two)
	for range n {
		b := browser{}
		b.visit(one, login("ada"))
		ctx := b.stream(t, two)
		b.user(two)
		b.visit(one, logout)
		out := time.Now()
		select {
		case <-ctx.Done():
			took = append(took, time.Since(out))
		case <-time.After(patience):
			t.Fatal("the stream did not end")
		}
	}
	return took
}
