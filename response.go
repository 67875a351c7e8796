package session

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/nestsession/session/internal/frames"
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
	sent   atomic.Bool // the headers are sent, or the connection was taken over
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
	if w.release(0) && w.x.gate.Opened() && w.x.s.hasMoreToCommit() {
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

// Hijack saves the session and hands the connection over. Whoever takes it writes the
// response, so that no cookie of ours leaves with it: a new session is not stored, and
// a cookie that was due is reported. Where it must leave, Commit puts it into a header
// beforehand. (After WriteHeader(101) it has left already.) httputil.ReverseProxy is
// known to write this response's header. If the connection cannot be handed over, the
// response goes on as if nothing had been asked.
func (w *response[T]) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	bottom := bottomOf(w.w)
	if _, can := bottom.(http.Hijacker); !can {
		return http.NewResponseController(bottom).Hijack() // which tells why not
	}
	c := http.NewResponseController(w.w)
	if w.sent.Swap(true) {
		if w.failed {
			return nil, nil, errAnswered
		}
		w.hijacked = true
		return c.Hijack()
	}
	proxied := frames.WritesHeader(w.x.depth)
	cookies, known, err := w.saveBeforeHijack(proxied)
	if err != nil {
		w.fail(err)
		return nil, nil, errAnswered
	}
	conn, rw, err := c.Hijack()
	if err != nil {
		w.carried = cookies
		if known != nil {
			known.unsend()
		}
		w.sent.Store(false)
		return nil, nil, err
	}
	w.hijacked = true
	switch {
	case known == nil:
	case proxied:
		for _, line := range cookies {
			addCookie(w.w.Header(), line)
		}
	default:
		known.unsend()
		known.taken(w.x.ctx.Context)
	}
	return conn, rw, nil
}

// saveBeforeHijack saves a session that the store has, since afterwards there is no
// way to answer with an error. It returns the cookies that are due, and the session if
// there is one that this response has not told the client of.
func (w *response[T]) saveBeforeHijack(proxied bool) ([]string, *Session[T], error) {
	x := w.x
	if broken := x.broken.Load(); broken != nil {
		return nil, nil, *broken
	}
	if !x.gate.Opened() {
		return nil, nil, nil
	}
	s := &x.s
	if s.isNew() && !proxied {
		return nil, s, nil // it is kept for the error page, or dropped
	}
	told := s.isSent()
	h := http.Header{}
	err := x.commit(h, http.StatusSwitchingProtocols)
	if told {
		s = nil
	}
	return h["Set-Cookie"], s, err
}
