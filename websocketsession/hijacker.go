package websocketsession

import (
	"bufio"
	"net"
	"net/http"
)

// hijacker keeps the connection that the library hijacks: only its deadlines end the library's
// reads and writes.
type hijacker struct {
	http.ResponseWriter
	conn net.Conn
}

// Unwrap is for [http.ResponseController].
func (h *hijacker) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// canHijack reports whether the connection can be hijacked. Only the innermost writer shows
// that: the others have a Hijack method that may fail.
func (h *hijacker) canHijack() bool {
	w := h.ResponseWriter
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			_, ok = w.(http.Hijacker)
			return ok
		}
		w = wrapper.Unwrap()
	}
}

// Hijack implements [http.Hijacker].
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, rw, err
}

// WriteHeaderNow is for gin, which delays the header until this call. The library makes it.
func (h *hijacker) WriteHeaderNow() {
	if w, ok := h.ResponseWriter.(interface{ WriteHeaderNow() }); ok {
		w.WriteHeaderNow()
	}
}
