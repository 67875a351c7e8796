package sqlstore_test

import (
	"testing"

	"github.com/nestsession/session/store/sqlstore"
	"github.com/nestsession/session/store/storetest"
	"github.com/nestsession/session/store/storetest/linear"
)

func TestLinearizableNative(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := opener(t, d, sqlstore.Config{}, plain)
			linear.Check(t, func(t *testing.T) storetest.Opened { return open(t, nil) }, linear.Options{OperationTimeout: maxWait})
		})
	}
}

// Many clients of one instance: the history includes batches.
func TestLongLinearizableTogether(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := opener(t, d, sqlstore.Config{}, plain)
			linear.Check(t, func(t *testing.T) storetest.Opened {
				opened := open(t, nil)
				opened.Peers = opened.Peers[:1]
				return opened
			}, linear.Options{OperationTimeout: maxWait, Clients: 16, IDs: 4, Steps: 8, Rounds: 8})
		})
	}
}

func TestLongLinearizableForeign(t *testing.T) {
	t.Parallel()
	for name, l := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := opener(t, l.dialect, sqlstore.Config{Layout: l.layout, OwnerOf: ownerOf, TTL: sqlstore.NoTTL}, inDocument)
			linear.Check(t, func(t *testing.T) storetest.Opened { return open(t, nil) },
				linear.Options{OperationTimeout: maxWait, Resolution: foreignOptions(l.layout).Resolution})
		})
	}
}
