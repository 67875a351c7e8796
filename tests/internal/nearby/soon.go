package nearby

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// maxWait is how long a test waits for what takes a busy machine long.
const maxWait = 2 * time.Minute

// ChangesSeen changes a session on one node, n times, and returns how long after each change another node
// reads it through a cache that has the old state.
func ChangesSeen(t testing.TB, one, two *nearcache.Cache, n int) (took []time.Duration) {
	t.Helper()
	ctx := context.Background()
	r := store.Record{ID: "measured", Data: []byte(`{"cookie":{}}`), Expires: time.Now().Add(time.Hour)}
	v, err := one.Create(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := two.Load(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
		r.Version, r.Data = v, fmt.Appendf(nil, `{"cookie":{},"n":%d}`, i)
		if v, err = one.Update(ctx, r); err != nil {
			t.Fatal(err)
		}
		written := time.Now()
		eventually(t, "the change is seen", func() bool {
			got, err := two.Load(ctx, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			return got.Version == v
		})
		took = append(took, time.Since(written))
	}
	return took
}

// AwaitHeartbeat waits until the store says that the cache has missed nothing.
func AwaitHeartbeat(t testing.TB, near *nearcache.Cache) {
	t.Helper()
	w, ok := store.As[store.Watcher](near)
	if !ok {
		t.Fatal("the store does not report changes")
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	now, came := time.Now(), false
	err := w.Watch(ctx, func(e store.Event) {
		if e.Whole.After(now) {
			came = true
			cancel()
		}
	})
	if !came {
		t.Fatalf("in vain waited for a heartbeat: %v", err)
	}
}

// Percentile is what p in a hundred do not exceed.
func Percentile(took []time.Duration, p int) time.Duration {
	took = slices.Sorted(slices.Values(took))
	return took[max((len(took)*p+99)/100-1, 0)]
}

// Report reports the median and the 99th percentile of a benchmark.
func Report(b *testing.B, took []time.Duration) {
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(Percentile(took, p).Microseconds()), fmt.Sprintf("µs/p%d", p))
	}
}

// TestWithin logs how long something took, and fails if the percentile p is longer than within.
func TestWithin(t *testing.T, what string, took []time.Duration, p int, within time.Duration) {
	t.Helper()
	t.Logf("%s after %v (p50), %v (p99), %v (the longest of %d)", what, Percentile(took, 50), Percentile(took, 99), Percentile(took, 100), len(took))
	if reached := Percentile(took, p); reached > within {
		t.Errorf("%s after %v (p%d), want %v", what, reached, p, within)
	}
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(maxWait); !holds(); <-time.After(20 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for this: %s", what)
		}
	}
}
