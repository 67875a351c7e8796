package websocketsession

import (
	"bufio"
	"net"
	"net/http"
)

// hijacker notes the connection that the library takes over: only its deadlines end
// what the library waits for.
type hijacker struct {
	http.ResponseWriter
	conn net.Conn
}

// Unwrap is for [http.ResponseController].
func (h *hijacker) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// can reports whether somebody below can hand the connection over.
func (h *hijacker) can() bool {
	for w := h.ResponseWriter; ; {
		switch t := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

// Hijack implements [http.Hijacker].
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, rw, err
}

// WriteHeaderNow is gin's, which keeps the header back until then. The library asks for
// it.
func (h *hijacker) WriteHeaderNow() {
	if w, ok := h.ResponseWriter.(interface{ WriteHeaderNow() }); ok {
		w.WriteHeaderNow()
	}
}
