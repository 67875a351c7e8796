package linear

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/storetest"
)

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"Clients is 17, and must be between 1 and 16": {Clients: 17},
		"Clients is -1":          {Clients: -1},
		"IDs is 9":               {IDs: 9},
		"Steps is 65":            {Steps: 65},
		"Rounds is -1":           {Rounds: -1},
		"OperationTimeout is -1": {OperationTimeout: -1},
		"Timeout is -1":          {Timeout: -1},
		`names "Swap"`:           {Topics: []Topic{"Swap"}},
	} {
		err := Verify(t.Context(), opened(func(*instance) {}), o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Verify: %v, want an error that says %s", err, want)
		}
	}
	if err := Verify(t.Context(), storetest.Opened{}, Options{}); err == nil || !strings.Contains(err.Error(), "Store is nil") {
		t.Errorf("Verify without a store: %v", err)
	}
}

// A check that does not end in time is a failure, and the failure says so.
func TestUndecidedIsAFailure(t *testing.T) {
	t.Parallel()
	err := Verify(t.Context(), opened(func(*instance) {}), Options{Timeout: 1, Folder: t.TempDir()})
	var v *Violation
	if !errors.As(err, &v) || !v.Undecided || !strings.HasPrefix(v.Reason, "unknown") {
		t.Errorf("a check without time: %v", err)
	}
}

func TestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	err := Verify(ctx, opened(func(i *instance) {
		i.touch = func(context.Context, string, time.Time) error { cancel(); return nil }
	}), Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Verify: %v, want %v", err, context.Canceled)
	}
}

// An operation that does not return after its deadline does not hang the test.
func TestHangIsAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		quit := make(chan struct{})
		defer close(quit)
		err := Verify(t.Context(), opened(func(i *instance) {
			i.update = func(context.Context, store.Record) (store.Version, error) {
				<-quit
				return 0, errCut
			}
		}), Options{OperationTimeout: time.Minute})
		if !errors.Is(err, errHung) || !strings.Contains(err.Error(), "Update") {
			t.Errorf("Verify: %v, want %v", err, errHung)
		}
	})
}

// An operation that returns at its deadline ends without an answer.
func TestDeadlineIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		err := Verify(t.Context(), opened(func(i *instance) {
			i.touch = func(ctx context.Context, _ string, _ time.Time) error {
				<-ctx.Done()
				return ctx.Err()
			}
		}), Options{OperationTimeout: time.Minute, Folder: t.TempDir()})
		if !isViolation(err, "without an answer") || !strings.Contains(err.Error(), "deadline exceeded") {
			t.Errorf("Verify: %v", err)
		}
	})
}

// With one seed the clients try the same operations; with another seed they try others.
func TestSeedRepeats(t *testing.T) {
	t.Parallel()
	// With one client, the machine does not influence the order.
	tried := func(seed uint64) (all []call) {
		o, err := Options{Seed: seed, Clients: 1}.withDefaults(storetest.Opened{})
		if err != nil {
			t.Fatal(err)
		}
		history, err := record(t.Context(), opened(func(*instance) {}), o, Lives, 3, "x")
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range history {
			op.call.from, op.call.expires = 0, 0
			all = append(all, op.call)
		}
		return all
	}
	same := func(a, b []call) bool {
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				return false
			}
		}
		return len(a) == len(b)
	}
	if a, b := tried(1), tried(1); !same(a, b) {
		t.Errorf("one seed made\n%v\nand\n%v", a, b)
	}
	if same(tried(1), tried(2)) {
		t.Error("two seeds made the same")
	}
}
