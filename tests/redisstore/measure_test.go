package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
)

// The bars, for the slowest of a hundred, counted from when the writer had its answer:
// until another node's cache, which had the old state, answers with the new one; and until
// a stream on another node ends.
const (
	seenWithin  = 50 * time.Millisecond
	endedWithin = 100 * time.Millisecond
)

func twoNodes(t testing.TB) (one, two *node) {
	c := redisstore.Config{Prefix: newPrefix()}
	o := single(servers.SharedRedis(t))
	one, two = newNode(t, o, c), newNode(t, o, c)
	for _, n := range []*node{one, two} {
		next(t, watch(t, n.near), "a heartbeat", isWhole)
	}
	return one, two
}

// TestHowSoon prints what it has measured. It is not run beside others.
func TestHowSoon(t *testing.T) {
	one, two := twoNodes(t)
	for _, m := range []struct {
		what   string
		within time.Duration
		took   []time.Duration
	}{
		{"a change is seen on another node", seenWithin, changesSeen(t, one, two, 500)},
		{"a stream on another node ends", endedWithin, streamsEnded(t, one, two, 500)},
	} {
		p99 := percentile(m.took, 99)
		t.Logf("%s after %v (p50), %v (p99), %v (the longest of %d)", m.what, percentile(m.took, 50), p99, percentile(m.took, 100), len(m.took))
		if p99 > m.within {
			t.Errorf("%s after %v (p99), want %v", m.what, p99, m.within)
		}
	}
}

func BenchmarkChangeSeen(b *testing.B) {
	one, two := twoNodes(b)
	reportPercentiles(b, changesSeen(b, one, two, max(b.N, 1)))
}

func BenchmarkStreamEnded(b *testing.B) {
	one, two := twoNodes(b)
	reportPercentiles(b, streamsEnded(b, one, two, max(b.N, 1)))
}

func reportPercentiles(b *testing.B, took []time.Duration) {
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(percentile(took, p).Microseconds()), fmt.Sprintf("µs/p%d", p))
	}
}

// percentile is what so many in a hundred do not exceed.
func percentile(took []time.Duration, p int) time.Duration {
	took = slices.Sorted(slices.Values(took))
	return took[max((len(took)*p+99)/100-1, 0)]
}

func changesSeen(t testing.TB, one, two *node, n int) (took []time.Duration) {
	t.Helper()
	ctx := context.Background()
	r := owned("measured", "", in(time.Hour))
	v, err := one.near.Create(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := two.near.Load(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
		r.Version, r.Data = v, fmt.Appendf(nil, `{"n":%d}`, i)
		if v, err = one.near.Update(ctx, r); err != nil {
			t.Fatal(err)
		}
		written := time.Now()
		eventually(t, "the change is seen", func() bool {
			got, err := two.near.Load(ctx, r.ID)
			return err == nil && got.Version == v
		})
		took = append(took, time.Since(written))
	}
	return took
}

func streamsEnded(t testing.TB, one, two *node, n int) (took []time.Duration) {
	t.Helper()
	for range n {
		ada := visitor{}
		ada.login(one)
		stream := ada.stream(t, two)
		ada.logout(t, one)
		out := time.Now()
		took = append(took, ends(t, stream).Sub(out))
	}
	return took
}
