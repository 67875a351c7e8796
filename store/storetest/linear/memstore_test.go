package linear_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/storetest"
	"github.com/nestsession/session/store/storetest/linear"
)

func TestMemstore(t *testing.T) {
	t.Parallel()
	linear.Check(t, func(t *testing.T) storetest.Opened {
		s := memstore.New(memstore.Config{})
		t.Cleanup(func() { s.Close() })
		return storetest.Opened{Store: s, Peers: []store.Store{s, s}}
	}, linear.Options{})
}

func TestMemstoreWithSetClock(t *testing.T) {
	t.Parallel()
	linear.Check(t, func(t *testing.T) storetest.Opened {
		var now atomic.Int64
		now.Store(time.Date(2026, 1, 31, 23, 59, 59, 0, time.UTC).UnixNano())
		clock := func() time.Time { return time.Unix(0, now.Load()) }
		s := memstore.New(memstore.Config{Now: clock})
		t.Cleanup(func() { s.Close() })
		return storetest.Opened{Store: s, Now: clock, Advance: func(d time.Duration) { now.Add(int64(d)) }}
	}, linear.Options{})
}
