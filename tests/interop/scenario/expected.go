package scenario

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Result is the response to a request, and its effect on the stores. Times are {"in":ms} from the
// beginning of the step, ids are S1, S2, ... in the order in which they become visible.
type Result struct {
	Status  int
	Body    string
	Headers map[string]string // in lower case; several lines are joined
	Cookies []Cookie          // Set-Cookie lines in order
	Values  []Value           // the values that the handler's operations returned
	Counts  map[string]int    // the number of calls
	Calls   []string          // "get S1 hit", "second:set S2", "touch S1 error"
	Store   Store
	Interim []Interim
	Late    []string // errors reported after the response had begun
	Notes   []string // remarks of the recorder

	ErrorResponse bool // the text of the body does not count, only the status
}

// Store is the live records by label of the store and id.
type Store map[string]map[string]any

// Cookie is a Set-Cookie line. That of a session has an id, others a value.
type Cookie struct {
	Name     string
	ID       *string
	Value    *string
	Change   string // "same" if the client had that id under that name, else "new"
	SignedBy *int   // the index of the secret that verifies
	Attrs    map[string]any
}

// Value is the value that one operation returned.
type Value struct {
	I         int // index of the operation
	Op        string
	Key       *string
	Value     any
	HasValue  bool
	Missing   bool
	NoSession bool
	OK        *bool
	Error     *string
	Result    *Result // of a nested request
}

// Interim is a response before the final one.
type Interim struct {
	Status    int
	SetCookie bool
}

// Expected is a file of recorded results.
type Expected struct {
	Group        string
	RecordedWith map[string]string
	Results      map[string][]Result // by name of the scenario, one a step
}

// UnmarshalJSON reads a file of results.
func (e *Expected) UnmarshalJSON(text []byte) error {
	var results Object
	err := readObject(text, fields{"group": &e.Group, "recordedWith": &e.RecordedWith, "results": &results})
	if err != nil {
		return err
	}
	e.Results = map[string][]Result{}
	for _, m := range results {
		var steps []Result
		if err := readObject(m.Value, fields{"steps": &steps}); err != nil {
			return fmt.Errorf("expectation of %q: %w", m.Key, err)
		}
		e.Results[m.Key] = steps
	}
	return nil
}

// UnmarshalJSON reads a result. It checks the counts against the calls.
func (r *Result) UnmarshalJSON(text []byte) error {
	var info json.RawMessage // how Node framed the response: not part of the contract
	var headers headerList
	err := readObject(text, fields{
		"status": &r.Status, "body": &r.Body, "headers": &headers, "cookies": &r.Cookies,
		"values": &r.Values, "counts": &r.Counts, "calls": &r.Calls, "store": &r.Store,
		"informational": &r.Interim, "lateErrors": &r.Late, "notes": &r.Notes, "info": &info,
		"errorResponse": &r.ErrorResponse,
	})
	if err != nil {
		return err
	}
	r.Headers = map[string]string{}
	for _, h := range headers {
		r.Headers[strings.ToLower(h.Name)] = strings.Join(h.Values, ", ")
	}
	calls := CountCalls(r.Calls)
	for call, n := range r.Counts {
		if calls[call] != n {
			return fmt.Errorf("counts say %d %s, but the calls are %q", n, call, r.Calls)
		}
	}
	return nil
}

// CountCalls counts calls by kind.
func CountCalls(calls []string) map[string]int {
	counts := map[string]int{"get": 0, "set": 0, "touch": 0, "destroy": 0}
	for _, c := range calls {
		kind, _, _ := strings.Cut(c, " ")
		if i := strings.LastIndexByte(kind, ':'); i >= 0 {
			kind = kind[i+1:]
		}
		counts[kind]++
	}
	return counts
}

// UnmarshalJSON reads a cookie.
func (c *Cookie) UnmarshalJSON(text []byte) error {
	return readObject(text, fields{
		"name": &c.Name, "id": &c.ID, "value": &c.Value, "change": &c.Change,
		"signedBy": &c.SignedBy, "attrs": &c.Attrs,
	})
}

// UnmarshalJSON reads a value.
func (v *Value) UnmarshalJSON(text []byte) error {
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	v.HasValue = all.has("value")
	return all.read(fields{
		"i": &v.I, "op": &v.Op, "key": &v.Key, "value": &v.Value, "missing": &v.Missing,
		"noSession": &v.NoSession, "ok": &v.OK, "error": &v.Error, "result": &v.Result,
	})
}

// UnmarshalJSON reads an interim response.
func (i *Interim) UnmarshalJSON(text []byte) error {
	return readObject(text, fields{"status": &i.Status, "setCookie": &i.SetCookie})
}

// In is the form of a time in a result: {"in":ms} from the beginning of its step.
func In(t, start time.Time) any {
	return map[string]any{"in": float64(t.UnixMilli() - start.UnixMilli())}
}
