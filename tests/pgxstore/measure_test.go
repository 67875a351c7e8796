package pgxstore_test

import (
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/tests/internal/nearby"
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
	nearby.TestWithin(t, "a change is seen on another node", changesSeen(t, one, two, 500), 50, seenWithin)
	nearby.TestWithin(t, "a stream on another node ends", streamsEnded(t, one, two, 500), 50, endedWithin)
}

func BenchmarkChangeSeen(b *testing.B) {
	dsn := servers.SharedPostgres(b).NewDatabase(b)
	one, two := newNode(b, dsn, pgxstore.Config{Create: true}), newNode(b, dsn, pgxstore.Config{})
	nearby.Report(b, changesSeen(b, one, two, max(b.N, 1)))
}

func BenchmarkStreamEnded(b *testing.B) {
	dsn := servers.SharedPostgres(b).NewDatabase(b)
	one, two := newNode(b, dsn, pgxstore.Config{Create: true}), newNode(b, dsn, pgxstore.Config{})
	nearby.Report(b, streamsEnded(b, one, two, max(b.N, 1)))
}

func changesSeen(t testing.TB, one, two *node, n int) []time.Duration {
	nearby.AwaitHeartbeat(t, two.near)
	return nearby.ChangesSeen(t, one.near, two.near, n)
}

// streamsEnded logs out n users on one node while they have a stream open on another.
func streamsEnded(t testing.TB, one, two *node, n int) (took []time.Duration) {
	t.Helper()
	nearby.AwaitHeartbeat(t, two.near)
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
		case <-time.After(maxWait):
			t.Fatal("the stream did not end")
		}
	}
	return took
}
