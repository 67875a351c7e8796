package session

import (
	"context"
	"github.com/nestsession/session/internal/frames"
	"net/http"
	"reflect"
)

// ErrReentrant says that the session was asked for where it is locked: by a callback of
// the Config, an event or a store, for which [Manager.Load] returns it, or by a function
// given to [Session.Update] that calls a method of the session. Then the save fails with
// it, and the text names the line. Take what the function needs before Update.
var ErrReentrant = frames.ErrReentrant

// callback is the request for a callback of the Config. In its context Load returns
// ErrReentrant: the session is locked while the callback runs.
func (c *core) callback(r *http.Request) *http.Request {
	ctx := r.Context()
	if quiet := c.quiet(ctx); quiet != ctx {
		return r.WithContext(quiet)
	}
	return r
}

// quiet is ctx, without the session if that is in it.
func (c *core) quiet(ctx context.Context) context.Context {
	x, _ := ctx.Value(chainKey).(chained)
	for ; x != nil; x = x.farther() {
		if x.manager() == c {
			return quietContext{ctx, c}
		}
	}
	return ctx
}

// apply runs a function given to Update. The session is locked.
//
//go:noinline
func (s *Session[T]) apply(fn func(*T), data *T) {
	defer s.mu.End()
	s.mu.Begin(reflect.ValueOf(fn).Pointer())
	fn(data)
}
