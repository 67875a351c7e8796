package exchange

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

// errAnswered is the error of a Write after the session could not be loaded or saved: the
// client has received the error response.
var errAnswered = errors.New("session: the client has already received an error response")

// response is the http.ResponseWriter of the handler. It saves the session before anything
// is sent to the client. It has all methods that can send the headers; Unwrap gives access
// to the other methods of the underlying writer.
type response struct {
	w      http.ResponseWriter
	x      *Exchange
	before http.Header // the header before the handler ran, if it was not empty
	sent   atomic.Bool // the headers are sent, or the connection was taken over
	failed bool        // the error response was sent

	hijacked bool        // the connection was taken over
	carried  http.Header // cookies, or a token, to send after a Hijack that failed
}

func (w *response) begin(under http.ResponseWriter, x *Exchange) {
	w.w, w.x = under, x
	if h := under.Header(); len(h) > 0 {
		w.before = h.Clone()
	}
}

// Unwrap is for [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.w }

// Header returns the response's header. After an error response it returns a map that is
// not sent, so that the handler cannot add trailers to the error response.
func (w *response) Header() http.Header {
	if w.failed {
		return http.Header{}
	}
	return w.w.Header()
}

// release saves the session once, before the headers are sent. It reports whether the
// handler's response may be sent. code is the response's status; 0 when the handler
// returns.
func (w *response) release(code int) bool {
	if w.sent.Swap(true) {
		return !w.failed
	}
	if broken := w.x.broken.Load(); broken != nil {
		w.fail(*broken)
		return false
	}
	// Here and not in commit, because each frame in between costs time.
	if code != 0 && w.x.unsaved() && w.x.ctx.manager.reach.Panicking(w.x.ctx.depth) {
		w.x.rollBack(Panicked)
	}
	if err := w.commit(code); err != nil {
		w.fail(err)
	}
	return !w.failed
}

// commit saves the session and adds its cookies.
func (w *response) commit(code int) error {
	h := w.w.Header()
	before := len(h["Set-Cookie"])
	err := w.x.commit(h, code)
	if len(h["Set-Cookie"]) == before { // otherwise new ones replace them
		addTo(h, w.carried)
	}
	return err
}

// fail sends the error response instead of the handler's.
func (w *response) fail(err error) {
	w.failed = true
	h := w.w.Header()
	clear(h)
	maps.Copy(h, w.before)
	if own, ok := err.(http.Handler); ok {
		own.ServeHTTP(w.w, w.x.r)
		return
	}
	w.x.ctx.manager.ErrorHandler(w.w, w.x.r, err)
}

// finish runs when the handler returns. It saves what has changed since the headers were
// sent. It does not run if the handler panics and no handler inside recovers.
func (w *response) finish() {
	if w.release(0) && w.x.once.Opened() && w.x.ctx.Session.Unfinished() {
		// The headers are sent, so the client cannot get an error. commit reports it.
		w.failed = w.x.commit(nil, 0) != nil
	}
}

// WriteHeader passes informational responses (1xx) on, because the final response is still
// to come. 101 is final.
func (w *response) WriteHeader(code int) {
	if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols {
		if !w.failed {
			w.w.WriteHeader(code)
		}
		return
	}
	if w.sent.Load() {
		w.x.recovered()
	}
	if w.release(code) {
		w.w.WriteHeader(code)
	}
}

// WriteHeaderNow sends the headers through gin's writer, which only notes the status until then.
// Libraries that take the connection over look for this method.
func (w *response) WriteHeaderNow() {
	gin, ok := beneath(w.w, isGin).(ginWriter)
	if ok && w.release(http.StatusOK) {
		gin.WriteHeaderNow()
	}
}

type ginWriter interface{ WriteHeaderNow() }

func isGin(w http.ResponseWriter) bool {
	_, is := w.(ginWriter)
	return is
}

func (w *response) Write(p []byte) (int, error) {
	if !w.release(http.StatusOK) {
		return 0, errAnswered
	}
	return w.w.Write(p)
}

func (w *response) WriteString(s string) (int, error) {
	if !w.release(http.StatusOK) {
		return 0, errAnswered
	}
	return io.WriteString(w.w, s)
}

// ReadFrom lets the underlying writer send a file efficiently.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	if !w.release(http.StatusOK) {
		return 0, errAnswered
	}
	return io.Copy(w.w, r)
}

// Flush is for handlers that do not use [http.ResponseController].
func (w *response) Flush() { _ = w.FlushError() }

func (w *response) FlushError() error {
	if !w.release(http.StatusOK) {
		return errAnswered
	}
	return http.NewResponseController(w.w).Flush()
}

// Hijack saves the session and hands the connection over. The new owner of the connection
// writes the response, so it carries no session cookie: a new session is not stored, and a
// cookie that was due is reported. To send the cookie, call Commit with the header that
// will be written. (After WriteHeader(101) the cookie is already sent.)
// httputil.ReverseProxy is known to write this response's header. If the connection cannot
// be handed over, the response goes on as if Hijack had not been called.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	bottom := beneath(w.w, nil)
	if _, can := bottom.(http.Hijacker); !can {
		return http.NewResponseController(bottom).Hijack() // its error says why not
	}
	c := http.NewResponseController(w.w)
	if w.sent.Swap(true) {
		if w.failed {
			return nil, nil, errAnswered
		}
		w.hijacked = true
		return c.Hijack()
	}
	proxied := frames.WritesHeader(w.x.ctx.depth)
	cookies, known, err := w.saveBeforeHijack(proxied)
	if err != nil {
		w.fail(err)
		return nil, nil, errAnswered
	}
	conn, rw, err := c.Hijack()
	if err != nil {
		w.carried = cookies
		if known != nil {
			known.Unsend()
		}
		w.sent.Store(false)
		return nil, nil, err
	}
	w.hijacked = true
	switch {
	case known == nil:
	case proxied:
		addTo(w.w.Header(), cookies)
	default:
		known.Unsend()
		known.Taken(w.x.ctx.Context)
	}
	return conn, rw, nil
}

// saveBeforeHijack saves a session that is in the store, because after the hijack no error
// response is possible. It returns the cookies that are due. It also returns the session if
// this response has not yet sent its cookie.
func (w *response) saveBeforeHijack(proxied bool) (http.Header, Session, error) {
	x := w.x
	if broken := x.broken.Load(); broken != nil {
		return nil, nil, *broken
	}
	if !x.once.Opened() {
		return nil, nil, nil
	}
	s := x.ctx.Session
	isNew, sent := s.Cookie()
	if isNew && !proxied {
		return nil, s, nil // it is kept for the error page, or dropped
	}
	x.recovered()
	h := http.Header{}
	err := x.commit(h, http.StatusSwitchingProtocols)
	if sent {
		s = nil
	}
	return h, s, err
}

// addTo adds cookies, and another header if h does not have it.
func addTo(h, more http.Header) {
	for name, lines := range more {
		if name == "Set-Cookie" || h[name] == nil {
			h[name] = append(h[name], lines...)
		}
	}
}
