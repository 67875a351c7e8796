package session

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"sync/atomic"
)

// errAnswered is what a handler gets that goes on writing after the session could
// not be loaded or saved: the client has got the error response.
var errAnswered = errors.New("session: the client got an error response in place of this one")

// response stands between the handler and the client so that nothing leaves before
// the session is saved. It has the methods by which a header can leave; the rest of
// the underlying writer is reached by Unwrap.
type response[T any] struct {
	w      http.ResponseWriter
	x      *exchange[T]
	before http.Header // what the header held when the handler got it, if anything
	sent   atomic.Bool // the header has left, or the connection was taken over
	failed bool        // and it was the error response's

	hijacked bool     // the connection was taken over
	carried  []string // cookies that are due since a Hijack that failed
}

func (w *response[T]) begin(under http.ResponseWriter, x *exchange[T]) {
	w.w, w.x = under, x
	if h := under.Header(); len(h) > 0 {
		w.before = h.Clone()
	}
}

// Unwrap is for [http.ResponseController].
func (w *response[T]) Unwrap() http.ResponseWriter { return w.w }

// Header returns the response's header; after an error response a map that nobody
// sends, so that the handler adds no trailers to that.
func (w *response[T]) Header() http.Header {
	if w.failed {
		return http.Header{}
	}
	return w.w.Header()
}

// release saves the session before the header leaves, once. It reports whether the
// handler's response may go on. code is the status that is to leave; 0 at the handler's
// return.
func (w *response[T]) release(code int) bool {
	if w.sent.Swap(true) {
		return !w.failed
	}
	if broken := w.x.broken.Load(); broken != nil {
		w.fail(*broken)
	} else if err := w.commit(code); err != nil {
		w.fail(err)
	}
	return !w.failed
}

// commit saves the session and sees to the cookies.
func (w *response[T]) commit(code int) error {
	h := w.w.Header()
	before := len(h["Set-Cookie"])
	err := w.x.commit(h, code)
	if len(h["Set-Cookie"]) == before { // else they are replaced
		for _, line := range w.carried {
			addCookie(h, line)
		}
	}
	return err
}

// fail answers with the error response in place of the handler's.
func (w *response[T]) fail(err error) {
	w.failed = true
	h := w.w.Header()
	clear(h)
	maps.Copy(h, w.before)
	w.x.m.errorHandler(w.w, w.x.r, err)
}

// finish is the handler's return: what it has changed since the header left is
// saved. A handler whose panic nobody within recovers from does not get here.
func (w *response[T]) finish() {
	if w.release(0) && w.x.gate.Opened() && w.x.s.unsettled() {
		// The header is gone, so that the client cannot be told. commit reports it.
		w.failed = w.x.commit(nil, 0) != nil
	}
}

// WriteHeader passes informational responses (1xx) on: the final one is to come.
// 101 is final.
func (w *response[T]) WriteHeader(code int) {
	if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols {
		if !w.failed {
			w.w.WriteHeader(code)
		}
		return
	}
	if w.sent.Load() {
		w.x.recoveredLate()
	}
	if w.release(code) {
		w.w.WriteHeader(code)
	}
}

func (w *response[T]) Write(p []byte) (int, error) {
	if !w.release(http.StatusOK) {
		return 0, errAnswered
	}
	return w.w.Write(p)
}

func (w *response[T]) WriteString(s string) (int, error) {
	if !w.release(http.StatusOK) {
		return 0, errAnswered
	}
	return io.WriteString(w.w, s)
}

// ReadFrom lets the underlying writer send a file by its own means.
func (w *response[T]) ReadFrom(r io.Reader) (int64, error) {
	if !w.release(http.StatusOK) {
		return 0, errAnswered
	}
	return io.Copy(w.w, r)
}

// Flush is for handlers that do not use [http.ResponseController].
func (w *response[T]) Flush() { _ = w.FlushError() }

func (w *response[T]) FlushError() error {
	if !w.release(http.StatusOK) {
		return errAnswered
	}
	return http.NewResponseController(w.w).Flush()
}
