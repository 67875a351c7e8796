package engine

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/nestsession/session"
	"github.com/nestsession/session/tests/interop/scenario"
)

// handler runs the operations of one request.
type handler struct {
	w   *World
	req *request
	out http.ResponseWriter
	r   *http.Request

	layer   *layer
	session *session.Session[Data] // nil if the request has no session, or has no longer one
	lastID  string                 // the last known id of its session
	unset   *session.Session[Data] // of a session that was dropped and is destroyed at the end

	status int  // the header of the response
	sent   bool // the header is sent
	done   bool // the response has ended
}

// errUndefined marks what the format does not define.
var errUndefined = errors.New("the format does not say what happens")

func (h *handler) run() {
	if h.session != nil && !h.session.IsNew() {
		h.learnID()
	}
	for i, op := range h.req.ops() {
		if h.done {
			break
		}
		v, err := h.do(op)
		if err != nil {
			h.req.fail(fmt.Errorf("operation %d, %s: %w", i, op.Kind, err))
			return
		}
		if v != nil {
			v.I, v.Op = i, op.Kind
			h.req.observe(*v)
		}
	}
	if !h.done {
		h.end("")
	}
}

// do runs one operation and records the value that it returns, if any.
func (h *handler) do(op scenario.Op) (*scenario.Value, error) {
	switch op.Kind {
	case "set", "get", "delete", "keys", "incr", "setIn", "push":
		if h.session == nil {
			return &scenario.Value{NoSession: true}, nil
		}
		return h.onData(op)
	case "has":
		return observed(h.session != nil), nil
	case "unset":
		h.drop()
		return nil, nil
	case "id", "cookie", "setMaxAge", "setCookie", "touch", "regenerate", "destroy", "reload", "save":
		if h.session == nil {
			return &scenario.Value{NoSession: true}, nil
		}
		return h.onSession(op)
	case "status", "header", "addHeader", "writeHead", "flush", "earlyHints", "write", "end", "redirect", "fail":
		h.onResponse(op)
		return nil, nil
	case "advance":
		h.w.advance(scenario.Milliseconds(op.Ms))
		return nil, nil
	case "nested":
		result, err := h.w.request(op.Step)
		return &scenario.Value{Result: result}, err
	}
	id, err := h.idOf(op.ID)
	if err != nil {
		return nil, err
	}
	return nil, h.w.onStore(op, id)
}

func observed(v any) *scenario.Value {
	return &scenario.Value{Value: v, HasValue: true}
}

// idOf returns the id that an operation on the store names.
func (h *handler) idOf(ref scenario.IDRef) (string, error) {
	if !ref.Self {
		return h.w.idOf(ref, h.req.step.Client)
	}
	h.learnID()
	if h.lastID == "" {
		return "", errors.New("the request had no session")
	}
	return h.lastID, nil
}

// learnID records the session's id, because a session that has ended does not return it.
func (h *handler) learnID() {
	if h.session == nil {
		return
	}
	if id := h.session.ID(); id != "" {
		h.lastID = id
	}
}

// idOf returns the id in a client's cookie, or the id that is spelled out.
func (w *World) idOf(ref scenario.IDRef, client string) (string, error) {
	switch {
	case ref.Literal != nil:
		return *ref.Literal, nil
	case ref.Jar != "":
		id, ok := w.jar(client).ID(ref.Jar)
		if !ok {
			return "", fmt.Errorf("client %q has no session cookie %q", client, ref.Jar)
		}
		return id, nil
	case ref.Self:
		return "", errors.New("outside a handler there is no own session")
	}
	return "", nil
}

// onStore runs an operation on the main store.
func (w *World) onStore(op scenario.Op, id string) error {
	s := w.store(scenario.MainStore)
	switch op.Kind {
	case "storePut":
		return s.put(id, resolve(op.Doc, w.Now()).(map[string]any))
	case "storePatch":
		set, _ := resolve(op.Set, w.Now()).(map[string]any)
		return s.patch(id, set, op.Unset)
	case "storeRemove":
		return s.remove(id)
	case "storeClear":
		return s.clear()
	case "storeDisconnect":
		s.setConnected(false)
		return nil
	case "storeConnect":
		s.setConnected(true)
		return nil
	}
	return fmt.Errorf("operation %q is known to the format and not to the replayer", op.Kind)
}
