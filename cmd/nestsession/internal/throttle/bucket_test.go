package throttle_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
	"github.com/nestsession/session/store/memstore"
)

// inBucket returns the guards of two servers that count in one store.
func inBucket(t *testing.T) (pair [2]*throttle.Guard) {
	t.Helper()
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = kept.Close() })
	for i := range pair {
		s, err := throttle.NewSharedBucket(kept, []string{"secret"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		pair[i] = throttle.NewSharedGuard(s, nil)
	}
	return pair
}

// What servers count together in a database they count together in a bucket, too.
func TestServersCountTogetherInABucket(t *testing.T) {
	t.Parallel()
	g := inBucket(t)
	within(t, "one address, one name", 5, func(i int) error { return login(g[i%2], from(1), "kim", "", false) })
	within(t, "one address, other names", 15, func(i int) error { return login(g[i%2], from(1), fmt.Sprint("name", i), "", false) })
	within(t, "one name, other addresses", 95, func(i int) error { return login(g[i%2], from(100+i), "kim", "", false) })
	within(t, "registrations", 20, func(i int) error { return register(t.Context(), g[i%2], 1) })
	for i := range g {
		var tooMany *throttle.TooMany
		if err := login(g[i], from(1), "kim", "", false); !errors.As(err, &tooMany) || tooMany.After > time.Minute {
			t.Errorf("server %d: %v, want to wait at most a minute", i, err)
		}
	}
}

// Attempts at the same time on two servers gain nothing, and a right password takes nothing away.
func TestConcurrentAttemptsInABucket(t *testing.T) {
	t.Parallel()
	g := inBucket(t)
	for i := range 40 {
		if err := login(g[i%2], from(1), "lee", "", true); err != nil {
			t.Fatalf("a right password, for the %dth time: %v", i+1, err)
		}
	}
	begun := time.Now()
	var wrong atomic.Int64
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			if login(g[i%2], from(2), "kim", "", false) == nil {
				wrong.Add(1)
			}
		})
	}
	wg.Wait()
	if n, more := wrong.Load(), int64(time.Since(begun)/time.Minute); n < 5 || n > 5+more {
		t.Errorf("%d wrong passwords were checked, want 5", n)
	}
}
