package otelsession

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

// streamWriter notices that a response is a stream.
type streamWriter struct {
	http.ResponseWriter
	open          *atomic.Int64
	begun, headed bool
}

func (w *streamWriter) stream() {
	if !w.begun {
		w.begun = true
		w.open.Add(1)
	}
}

// end is called when the handler has returned.
func (w *streamWriter) end() {
	if w.begun {
		w.open.Add(-1)
	}
}

// head is called before the headers are sent.
func (w *streamWriter) head(status int) {
	if w.headed || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	w.headed = true
	kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	if status == http.StatusOK && strings.EqualFold(strings.TrimSpace(kind), "text/event-stream") {
		w.stream()
	}
}

func (w *streamWriter) WriteHeader(status int) {
	w.head(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *streamWriter) Write(b []byte) (int, error) {
	w.head(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// FlushError is for http.ResponseController.
func (w *streamWriter) FlushError() error {
	w.head(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements [http.Flusher], which many handlers look for.
func (w *streamWriter) Flush() { _ = w.FlushError() }

// Hijack implements [http.Hijacker].
func (w *streamWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.stream()
	}
	return conn, buffered, err
}

// Unwrap is for http.ResponseController.
func (w *streamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
