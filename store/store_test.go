package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nestsession/session/store"
)

// plain has only the five methods, by embedding an interface that no test calls.
type plain struct{ store.Store }

// pinged is a plain store with a Ping whose error identifies it.
type pinged struct {
	plain
	err error
}

func (p pinged) Ping(context.Context) error { return p.err }

// front stands in front of another store and has nothing optional itself.
type front struct {
	plain
	behind store.Store
}

func (f front) Unwrap() store.Store { return f.behind }

// pingedFront stands in front of another store and has a Ping of its own.
type pingedFront struct {
	front
	err error
}

func (p pingedFront) Ping(context.Context) error { return p.err }

func TestAs(t *testing.T) {
	t.Parallel()
	inner, outer := errors.New("inner"), errors.New("outer")
	tests := map[string]struct {
		store store.Store
		want  error // of the Ping that is found; nil: none is found
	}{
		"nil":                          {nil, nil},
		"absent":                       {plain{}, nil},
		"present":                      {pinged{err: inner}, inner},
		"behind one":                   {front{behind: pinged{err: inner}}, inner},
		"behind several":               {front{behind: front{behind: front{behind: pinged{err: inner}}}}, inner},
		"the one in front comes first": {pingedFront{front{behind: pinged{err: inner}}, outer}, outer},
		"in the middle":                {front{behind: pingedFront{front{behind: plain{}}, outer}}, outer},
		"behind one that is absent":    {front{behind: plain{}}, nil},
		"in front of nothing":          {front{}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, ok := store.As[store.Pinger](test.store)
			if ok != (test.want != nil) {
				t.Fatalf("As found one: %v, want %v", ok, !ok)
			}
			if !ok {
				if p != nil {
					t.Errorf("As returned %v beside false", p)
				}
				return
			}
			if err := p.Ping(t.Context()); err != test.want {
				t.Errorf("As found the one that answers %q, want %q", err, test.want)
			}
		})
	}
}

// Callers that compare with ErrNotFound need not know ErrExpired.
func TestExpiredIsNotFound(t *testing.T) {
	t.Parallel()
	if !errors.Is(store.ErrExpired, store.ErrNotFound) {
		t.Error("ErrExpired is not an ErrNotFound")
	}
	if errors.Is(store.ErrNotFound, store.ErrExpired) {
		t.Error("ErrNotFound is an ErrExpired")
	}
	for _, err := range []error{store.ErrExists, store.ErrConflict, store.ErrFull, store.ErrClosed} {
		if errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q is an ErrNotFound", err)
		}
	}
}
