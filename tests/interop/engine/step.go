package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nestsession/session/tests/interop/client"
	"github.com/nestsession/session/tests/interop/scenario"
)

// Step makes the next request of the scenario and returns its result, with times and ids in the
// form of expectations. want is the expectation, which determines the numbers of ids. The error
// says that the step cannot be replayed at all.
func (w *World) Step(s *scenario.Step, want *scenario.Result) (*scenario.Result, error) {
	w.advance(s.Advance)
	for i, op := range s.Before {
		id, err := w.idOf(op.ID, s.Client)
		if err == nil {
			err = w.onStore(op, id)
		}
		if err != nil {
			return nil, fmt.Errorf("before[%d], %s: %w", i, op.Kind, err)
		}
	}
	start := w.Now()
	raw, err := w.make(s)
	if err != nil {
		return nil, err
	}
	raw.Store = scenario.Store{}
	for _, label := range w.labels() {
		if raw.Store[label], err = w.stores[label].documents(start); err != nil {
			return nil, err
		}
	}
	w.number(raw, want)
	return raw, nil
}

// request makes a nested request. As in a step, the clock is advanced and faults are active; but
// the result has no stores.
func (w *World) request(s *scenario.Step) (*scenario.Result, error) {
	w.advance(s.Advance)
	for i, op := range s.Before {
		id, err := w.idOf(op.ID, s.Client)
		if err == nil {
			err = w.onStore(op, id)
		}
		if err != nil {
			return nil, fmt.Errorf("before[%d], %s: %w", i, op.Kind, err)
		}
	}
	return w.make(s)
}

// make makes a request and waits until the server has finished it.
func (w *World) make(s *scenario.Step) (*scenario.Result, error) {
	if w.apps[s.Variant] == nil {
		return nil, fmt.Errorf("no variant %q", s.Variant)
	}
	lines, err := w.cookieLines(s)
	if err != nil {
		return nil, err
	}
	start := w.Now()
	srv := w.server(serverKey{s.Variant, s.TLS})
	req := newRequest(s)
	w.enter(req)
	defer w.leave()
	defer w.suffer(s.Faults)()
	out := client.Request{
		Addr: srv.Listener.Addr().String(), TLS: srv.config, Method: s.Method, Path: s.Path,
		Cookies: lines, Headers: s.Headers,
	}
	resp, err := out.Do()
	if err == nil && req.hasBegun() {
		err = req.wait()
	}
	if err = errors.Join(err, req.failed()); err != nil {
		return nil, err
	}
	return w.result(s, req, resp, start), nil
}

func (w *World) cookieLines(s *scenario.Step) ([]string, error) {
	jar := w.jar(s.Client)
	if s.Cookies.Jar {
		if line := jar.Line(); line != "" {
			return []string{line}, nil
		}
		return nil, nil
	}
	var lines []string
	for _, parts := range s.Cookies.Lines {
		line, err := jar.Join(parts)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// result describes a response, with ids as they are.
func (w *World) result(s *scenario.Step, req *request, resp *client.Response, start time.Time) *scenario.Result {
	req.mu.Lock()
	defer req.mu.Unlock()
	r := &scenario.Result{
		Status: resp.Status, Body: resp.Body, Headers: map[string]string{}, Values: req.values,
		Interim: resp.Interim, Late: req.errors,
	}
	r.Cookies = w.jar(s.Client).Receive(resp.Header["Set-Cookie"], w.apps[s.Variant].verify, start)
	for name, values := range resp.Header {
		r.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	for _, c := range req.calls {
		r.Calls = append(r.Calls, c.String())
	}
	for i := range r.Values {
		r.Values[i].Value = relative(r.Values[i].Value, start)
	}
	r.Counts = scenario.CountCalls(r.Calls)
	return r
}

// relative makes times in a returned value relative to the beginning of the step.
func relative(v any, start time.Time) any {
	if t, ok := v.(time.Time); ok {
		return scenario.In(t, start)
	}
	if d, ok := v.(map[string]any); ok {
		for key, value := range d {
			d[key] = relative(value, start)
		}
	}
	return v
}

// String returns the call in the form of expectations, with the id between marks that are unlikely
// in an id, so that number finds it.
func (c Call) String() string {
	text := c.Kind + " " + idOpen + c.ID + idClose
	if c.Outcome != "" {
		text += " " + c.Outcome
	}
	if c.Store != scenario.MainStore {
		text = c.Store + ":" + text
	}
	return text
}
