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

// can reports whether the connection can be handed over, which only the writer at the
// bottom knows: those above it pass the question on.
func (h *hijacker) can() bool {
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

// WriteHeaderNow is gin's, which keeps the header back until then. The library asks for
// it.
func (h *hijacker) WriteHeaderNow() {
	if w, ok := h.ResponseWriter.(interface{ WriteHeaderNow() }); ok {
		w.WriteHeaderNow()
	}
}
