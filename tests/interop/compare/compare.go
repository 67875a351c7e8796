// Package compare returns the differences between a result and the expected one.
package compare

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/nestsession/session/tests/interop/scenario"
)

// Field is a part of a [scenario.Result].
type Field string

// The fields that are compared.
const (
	Status  Field = "status"
	Body    Field = "body"
	Headers Field = "headers"
	Cookies Field = "cookies"
	Values  Field = "values"
	Calls   Field = "calls"
	Stored  Field = "store"
	Interim Field = "informational"
	Late    Field = "lateErrors"
)

// Difference is a difference in one field: for values in that of one operation, for stores in one
// record, for other fields in the whole field.
type Difference struct {
	Field Field
	Path  string // for people, such as "values[2].result.cookies"

	Value    int    // values: the index in the list
	Op       string // values: the operation's
	Label    string // store: the store's
	ID       string // store: the record's
	Expected any    // of the type that the field has in Result; nil if it is missing
	Got      any

	// WantCalls and GotCalls are the calls that count, as text: "main:set S1".
	WantCalls, GotCalls []string

	// WantedOf and GotOf are the results that differ, of the step or of a nested request.
	WantedOf, GotOf *scenario.Result
}

// Results compares the results of one step. before is the content of the stores when the step
// began.
func Results(before scenario.Store, want, got *scenario.Result) []Difference {
	c := comparer{wanted: storedIn(before, want), had: storedIn(before, got)}
	c.request("", want, got)
	c.stores(want, got)
	return c.found
}

type comparer struct {
	found       []Difference
	wanted, had records
}

// records are the records that were in a store at some time in a step, as "label id".
type records map[string]bool

func storedIn(before scenario.Store, r *scenario.Result) records {
	out := records{}
	for label, docs := range before {
		for id := range docs {
			out[label+" "+id] = true
		}
	}
	out.wrote(r)
	return out
}

func (s records) wrote(r *scenario.Result) {
	for _, call := range r.Calls {
		if p := parseCall(call); p.kind == "set" && p.outcome == "" {
			s[p.label+" "+p.id] = true
		}
	}
	for _, v := range r.Values {
		if v.Result != nil {
			s.wrote(v.Result)
		}
	}
}

func (c *comparer) add(d Difference) { c.found = append(c.found, d) }

func (c *comparer) request(path string, want, got *scenario.Result) {
	whole := func(f Field, a, b any) {
		c.add(Difference{Field: f, Path: path + string(f), Expected: a, Got: b, WantedOf: want, GotOf: got})
	}
	if want.Status != got.Status {
		whole(Status, want.Status, got.Status)
	}
	if want.Body != got.Body && !(want.ErrorResponse && got.Status == want.Status) {
		whole(Body, want.Body, got.Body)
	}
	if a, b := headers(want, want), headers(want, got); !maps.Equal(a, b) {
		whole(Headers, a, b)
	}
	if a, b := cookies(want.Cookies), cookies(got.Cookies); !reflect.DeepEqual(a, b) {
		whole(Cookies, want.Cookies, got.Cookies)
	}
	if a, b := calls(want.Calls, c.wanted), calls(got.Calls, c.had); !slices.Equal(a, b) {
		whole(Calls, want.Calls, got.Calls)
		last := &c.found[len(c.found)-1]
		last.WantCalls, last.GotCalls = a, b
	}
	if !slices.Equal(want.Interim, got.Interim) {
		whole(Interim, want.Interim, got.Interim)
	}
	if (len(want.Late) > 0) != (len(got.Late) > 0) {
		whole(Late, want.Late, got.Late)
	}
	c.values(path, want, got)
}

// values compares the values that operations returned, one by one.
func (c *comparer) values(path string, want, got *scenario.Result) {
	for i := range max(len(want.Values), len(got.Values)) {
		d := Difference{
			Field: Values, Path: fmt.Sprintf("%svalues[%d]", path, i), Value: i, WantedOf: want, GotOf: got,
		}
		var a, b scenario.Value
		if i < len(want.Values) {
			a = want.Values[i]
			d.Expected, d.Op = a, a.Op
		}
		if i < len(got.Values) {
			b = got.Values[i]
			d.Got, d.Op = b, b.Op
		}
		if a.Result != nil && b.Result != nil && a.I == b.I {
			c.request(d.Path+".result.", a.Result, b.Result)
			continue
		}
		if !reflect.DeepEqual(value(a), value(b)) {
			c.add(d)
		}
	}
}

// stores compares the records of all stores.
func (c *comparer) stores(want, got *scenario.Result) {
	labels := map[string]bool{}
	for _, r := range []*scenario.Result{want, got} {
		for label := range r.Store {
			labels[label] = true
		}
	}
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		ids := map[string]bool{}
		for _, r := range []*scenario.Result{want, got} {
			for id := range r.Store[label] {
				ids[id] = true
			}
		}
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			a, expected := want.Store[label][id]
			b, there := got.Store[label][id]
			if expected == there && reflect.DeepEqual(Document(a), Document(b)) {
				continue
			}
			c.add(Difference{
				Field: Stored, Path: fmt.Sprintf("store %s %s", label, id), Label: label, ID: id,
				Expected: a, Got: b, WantedOf: want, GotOf: got,
			})
		}
	}
}
