// Package eventstream serves server-sent events (text/event-stream, EventSource in a browser)
// that end with the session. After a logout on any node no event is sent any more, but for a
// last one, called [EndEvent], which gives the page the reason.
//
//	mux.HandleFunc("GET /events", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
//		err := eventstream.Serve(w, r, s, eventstream.Options{}, func(ctx context.Context, events *eventstream.Stream) error {
//			for {
//				select {
//				case <-ctx.Done():
//					return context.Cause(ctx)
//				case text := <-news:
//					if err := events.Send(eventstream.Event{Data: text}); err != nil {
//						return err
//					}
//				}
//			}
//		})
//		…
//	}))
//
// A page should close its EventSource when it gets EndEvent. If it does not, the browser connects
// again and gets 401, after which it stops.
package eventstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nestsession/session"
)

// The defaults of [Options].
const (
	DefaultHeartbeat    = 15 * time.Second
	DefaultWriteTimeout = 10 * time.Second
)

// Options says how a stream is served. The zero value of each field is its default.
type Options struct {
	// Heartbeat is how long the stream may be silent before a comment is sent, which the
	// page does not get. So proxies do not close the connection as idle, and the server
	// notices a client that has disconnected. Default: 15 seconds. Negative: none.
	Heartbeat time.Duration

	// WriteTimeout is how long a client may take to receive an event. The stream of a
	// slower one ends. It replaces the server's WriteTimeout, which would end every
	// stream. Default: 10 seconds.
	WriteTimeout time.Duration

	// Retry is how long the browser waits before it connects again when the stream
	// breaks. Default: the browser's own, some seconds.
	Retry time.Duration
}

// ErrSlow means that the client did not receive an event within Options.WriteTimeout.
var ErrSlow = errors.New("eventstream: the client is too slow")

// Serve answers with a stream of events. The stream lasts until handle returns, the client
// disconnects, or the session ends on any node. If the session ends, ctx ends, no Send
// succeeds any more, and the last event is sent at once. handle has to return when ctx ends.
// An open stream does not keep the session alive: call [session.Session.KeepAlive] when
// something shows that the user is present.
//
// A client whose session has ended, or is not stored yet ([session.Session.Save]), gets 401. A
// browser does not retry after that.
//
// Serve returns why the stream ended: nil if the client disconnected or handle returned nil; an
// error that is [session.ErrRevoked] (or one that is more precise, see
// [session.Session.NotifyContext]), [session.ErrClosed], [session.ErrNotSaved], [ErrSlow],
// [http.ErrNotSupported] if the connection cannot stream; or the error of handle. The client
// has been answered in any case.
func Serve[T any](w http.ResponseWriter, r *http.Request, s *session.Session[T], o Options, handle func(ctx context.Context, events *Stream) error) error {
	if err := o.defaults(); err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return err
	}
	parent, lose := context.WithCancelCause(r.Context())
	defer lose(nil)
	ctx, stop := s.NotifyContext(parent)
	defer stop()
	if ctx.Err() != nil {
		return refuse(w, r, context.Cause(ctx))
	}
	if !canFlush(w) {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return fmt.Errorf("eventstream: some middleware hides how to flush the response: %w", http.ErrNotSupported)
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx passes each event on at once
	if r.Method == http.MethodHead {
		return nil
	}
	st := &Stream{
		w: w, rc: http.NewResponseController(w), ctx: ctx, lose: lose,
		lastID: r.Header.Get("Last-Event-ID"), options: o, turn: make(chan struct{}, 1),
	}
	return st.run(handle)
}

// canFlush reports whether a response can be sent in pieces. Only the innermost writer shows that:
// the others have a Flush method that may fail.
func canFlush(w http.ResponseWriter) bool {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = wrapper.Unwrap()
	}
	switch w.(type) {
	case http.Flusher, interface{ FlushError() error }:
		return true
	}
	return false
}

// refuse answers a request for a stream that would end at once.
func refuse(w http.ResponseWriter, r *http.Request, cause error) error {
	switch {
	case r.Context().Err() != nil:
		return nil
	case errors.Is(cause, session.ErrRevoked), errors.Is(cause, session.ErrNotSaved):
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "not logged in", http.StatusUnauthorized)
	default:
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
	}
	return cause
}

func (o *Options) defaults() error {
	if o.WriteTimeout < 0 {
		return fmt.Errorf("eventstream: Options.WriteTimeout: %v; write a positive duration, or 0 for %v", o.WriteTimeout, DefaultWriteTimeout)
	}
	if o.Retry < 0 {
		return fmt.Errorf("eventstream: Options.Retry: %v; write a positive duration, or 0 for the browser's own", o.Retry)
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = DefaultWriteTimeout
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	return nil
}
