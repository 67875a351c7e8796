package linear_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/storetest"
	"github.com/nestsession/session/store/storetest/linear"
)

// In a test file of your store this is func TestLinearizable(t *testing.T). Instances that share a
// database are Store and Peers.
func ExampleCheck() {
	TestLinearizable := func(t *testing.T) {
		t.Parallel()
		linear.Check(t, func(t *testing.T) storetest.Opened {
			s := memstore.New(memstore.Config{})
			t.Cleanup(func() { s.Close() })
			return storetest.Opened{Store: s}
		}, linear.Options{})
	}
	_ = TestLinearizable
}

// hasty is a store with a race: another write may come between its check of the version and its
// write.
type hasty struct {
	store.Store
	mu sync.Mutex
}

func (h *hasty) Update(ctx context.Context, r store.Record) (store.Version, error) {
	kept, err := h.Load(ctx, r.ID)
	if err != nil {
		return 0, err
	}
	if kept.Version != r.Version {
		return 0, store.ErrConflict
	}
	<-time.After(time.Millisecond) // the time that a request to a database takes
	h.mu.Lock()
	defer h.mu.Unlock()
	kept, err = h.Load(ctx, r.ID)
	if err != nil {
		return 0, err
	}
	r.Version = kept.Version // whatever version the record has by now
	return h.Store.Update(ctx, r)
}

func ExampleVerify() {
	memory := memstore.New(memstore.Config{})
	defer memory.Close()
	ctx := context.Background()
	topics := []linear.Topic{linear.Swaps}

	err := linear.Verify(ctx, storetest.Opened{Store: memory}, linear.Options{Topics: topics})
	fmt.Println("memory:", err)

	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	err = linear.Verify(ctx, storetest.Opened{Store: &hasty{Store: memory}}, linear.Options{Topics: topics, Folder: folder})
	var v *linear.Violation
	if errors.As(err, &v) {
		fmt.Println("hasty:", v.Reason)
	}
	// Output:
	// memory: <nil>
	// hasty: not linearizable: no order of these operations, each within its time, explains the answers
}
