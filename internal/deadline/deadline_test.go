package deadline_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/nestsession/session/internal/deadline"
)

type key struct{}

// What is derived from the context ends with it, and costs no goroutine.
func TestDerived(t *testing.T) {
	parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	defer cancel()
	for name, d := range map[string]*deadline.Context{
		"Within":  deadline.Within(parent, time.Hour),
		"Without": deadline.Without(parent, time.Hour),
	} {
		before := runtime.NumGoroutine()
		const many = 100
		ended := make(chan struct{}, many)
		var derived []context.Context
		for range many {
			context.AfterFunc(d, func() { ended <- struct{}{} })
			one, stop := context.WithCancel(d)
			defer stop()
			derived = append(derived, one)
		}
		if n := runtime.NumGoroutine(); n >= before+many {
			t.Errorf("%s: %d goroutines wait for the end of one context", name, n-before)
		}
		if v := derived[0].Value(key{}); v != "value" {
			t.Errorf("%s: the value is %v", name, v)
		}
		d.End()
		for _, one := range derived {
			<-one.Done()
			<-ended
		}
	}
}

// The parent's end ends the context only if that follows.
func TestParentEnds(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithCancel(t.Context())
	within, without := deadline.Within(parent, time.Hour), deadline.Without(parent, time.Hour)
	defer within.End()
	defer without.End()
	follows, stays := make(chan struct{}), make(chan struct{})
	context.AfterFunc(within, func() { close(follows) })
	context.AfterFunc(without, func() { close(stays) })
	cancel()
	<-follows
	if err := within.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("within: %v", err)
	}
	select {
	case <-stays:
		t.Error("without ended with its parent")
	default:
	}
	if err := without.Err(); err != nil {
		t.Errorf("without: %v", err)
	}
}
