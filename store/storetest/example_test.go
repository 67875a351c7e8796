package storetest_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/storetest"
)

// In a test file of your store this is func TestContract(t *testing.T). The store
// here is memstore, with a clock that the kit may move, so that no case waits.
func ExampleRun() {
	TestContract := func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) storetest.Opened {
			var moved atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(moved.Load())) }
			s := memstore.New(memstore.Config{Now: now})
			t.Cleanup(func() { s.Close() })
			return storetest.Opened{
				Store:   s,
				Now:     now,
				Advance: func(d time.Duration) { moved.Add(int64(d)) },
			}
		}, storetest.Options{
			Parallel: true,
			Without: map[storetest.Capability]string{
				storetest.Peers: "keeps its sessions in one process",
			},
		})
	}
	_ = TestContract
}
