package store_test

import (
	"testing"
	"time"

	"github.com/nestsession/session/store"
)

func TestEventConcerns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		event store.Event
		a, b  bool
	}{
		"by its id":     {store.Event{ID: "a", Ended: true}, true, false},
		"by its digest": {store.Event{Digest: store.DigestOf("a")}, true, false},
		"some missed":   {store.Event{}, true, true},
		"none missed":   {store.Event{Whole: time.Now()}, false, false},
	}
	for name, test := range tests {
		if a, b := test.event.Concerns("a"), test.event.Concerns("b"); a != test.a || b != test.b {
			t.Errorf("%s: concerns a: %v, b: %v; want %v, %v", name, a, b, test.a, test.b)
		}
	}
}
