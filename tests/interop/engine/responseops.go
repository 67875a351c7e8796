package engine

import (
	"io"
	"maps"
	"net/http"

	"github.com/nestsession/session/tests/interop/scenario"
)

// onResponse runs an operation on the response. An operation that ends the response ends the
// handler.
func (h *handler) onResponse(op scenario.Op) {
	switch op.Kind {
	case "status":
		h.status = op.Code
	case "header":
		h.setHeader(scenario.Header{Name: op.Name, Values: op.Values})
	case "addHeader":
		for _, v := range op.Values {
			h.out.Header().Add(op.Name, v)
		}
	case "writeHead":
		for _, header := range op.Headers {
			h.setHeader(header)
		}
		h.status = op.Code
		h.sendHead()
	case "flush":
		h.sendHead()
		// If the client got an error response instead, there is nothing to flush.
		_ = http.NewResponseController(h.out).Flush()
	case "earlyHints":
		h.earlyHints(op.Headers)
	case "write":
		h.write(op.Body)
	case "end":
		h.end(op.Body)
	case "redirect":
		h.out.Header().Set("Location", op.To)
		h.status = op.Code
		h.end("")
	case "fail":
		h.fail(op.Message)
	}
}

func (h *handler) setHeader(header scenario.Header) {
	h.out.Header().Del(header.Name)
	for _, v := range header.Values {
		h.out.Header().Add(header.Name, v)
	}
}

func (h *handler) sendHead() {
	if !h.sent {
		h.sent = true
		h.out.WriteHeader(h.status)
	}
}

// write writes a part of the body. It is no error if the response cannot have a body: Node drops it
// too.
func (h *handler) write(body string) {
	h.sendHead()
	_, _ = io.WriteString(h.out, body)
}

// end ends the response. A header that was not sent is sent now, even if there is no body.
func (h *handler) end(body string) {
	h.done = true
	h.destroyUnset()
	if body != "" || !h.sent {
		h.write(body)
	}
}

// earlyHints sends an interim response 103 with only these headers. net/http would send all headers
// that are set.
func (h *handler) earlyHints(headers []scenario.Header) {
	all := h.out.Header()
	kept := maps.Clone(all)
	clear(all)
	for _, header := range headers {
		h.setHeader(header)
	}
	h.out.WriteHeader(http.StatusEarlyHints)
	clear(all)
	maps.Copy(all, kept)
}

// fail returns an error to the application's error handler.
func (h *handler) fail(message string) {
	if !h.sent {
		h.status = http.StatusInternalServerError
		h.out.Header().Set("Content-Type", "text/plain; charset=utf-8")
		h.end("error: " + message)
		return
	}
	h.end("")
}
