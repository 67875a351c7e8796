package live_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// oddMembers are members that a Node application may have in a session, as text: numbers in forms
// that neither JavaScript nor Go writes, names with a meaning in JavaScript, and empty, escaped and
// nested values.
const oddMembers = `"big":9007199254740993,"negative":-12345678901234567890,"float":1.0,"huge":1e21,"tiny":5e-324,"minus":-0,` +
	`"exact":0.1000000000000000055511151231257827,"nothing":null,"no":false,"empty":"","":"nameless",` +
	`"list":[1,"two",null,{"three":[[],{}]},9007199254740993],"deep":{"__proto__":{"admin":true},"constructor":{"z":1,"a":2.50},"n":{"n":{"n":null}}},` +
	`"when":"2026-03-01T12:34:56.789Z","text":"ключ, 日本, 🍪, \u00e9, \u2028, \u0000, \ud800, \u003cb\u003e\/, \"q\"",` +
	`"10":"ten","9":"nine","spaced":[ 1 , 2 ],"Visits":"another case","ключ 🗝":{"✓":true},"__nest":1`

// A save by Go keeps each member of a document that it does not change, byte for byte and in its
// place, and appends new ones.
func goKeepsText(t *testing.T, r *rig) {
	v := r.logIn(t, r.node, "hour")
	id := v.id(t)
	cookie, _, _ := strings.Cut(r.text(t, id), `"user"`)
	r.setText(t, id, cookie+`"first":1,`+oddMembers+`,"visits":1,"user":{"id":42}}`)
	v.post(t, r.golang, "/merge", data{"mine": []any{1, 2.5, "x"}})
	v.post(t, r.golang, "/count", nil)
	v.post(t, r.golang, "/drop", data{"key": "first"})
	_, got, _ := strings.Cut(r.text(t, id), `"path":"/"},`)
	want := oddMembers + `,"visits":2,"user":{"id":42},"mine":[1,2.5,"x"]}`
	if got != want {
		t.Errorf("after saves of Go the members are\n%s\nwant\n%s", got, want)
	}
	// And Node reads the values that it would have read from its own text.
	a := v.get(t, r.node, "/read")
	if a.ID != id || a.Data["when"] != "2026-03-01T12:34:56.789Z" || a.Data["huge"] != 1e21 || a.Data["visits"] != 2.0 {
		t.Errorf("Node reads %v", a.Data)
	}
}

// Both programs drop the names that express-session drops when it loads a session: no application
// gets them as data, and the next save removes them.
func reservedNames(t *testing.T, r *rig) {
	for _, w := range r.ways() {
		v := r.logIn(t, w.from, "hour")
		id := v.id(t)
		cookie, _, _ := strings.Cut(r.text(t, id), `"user"`)
		r.setText(t, id, cookie+`"__proto__":{"admin":true},"id":"mine","save":null,"toString":7,"user":"ada"}`)
		for _, s := range []side{w.from, w.to} {
			if a := v.get(t, s, "/read"); a.ID != id || !reflect.DeepEqual(a.Data, data{"user": "ada"}) {
				t.Errorf("%s reads %v", s.name, a.Data)
			}
		}
		v.post(t, w.to, "/count", nil)
		if _, got, _ := strings.Cut(r.text(t, id), `"path":"/"},`); got != `"user":"ada","visits":1}` {
			t.Errorf("after a save of %s the members are\n%s", w.to.name, got)
		}
	}
}

// A value that Go stores has the same value and type after Node has saved it with a key of its own,
// and the reverse.
func valuesKeepTheirTypes(t *testing.T, r *rig) {
	values := data{
		"zero": 0.0, "minus": -1.5, "million": 1e6, "huge": 1e21, "tiny": 5e-324, "whole": math.MaxInt32 + 0.0,
		"safe": 9007199254740991.0, "yes": true, "no": false, "nothing": nil, "empty": "", "list": []any{}, "object": data{},
		"nested": data{"a": []any{data{"b": []any{nil, 1.0, "x"}}}, "": data{"": ""}},
		"when":   "2026-03-01T12:34:56.789Z", "text": "ключ 日本 🍪 <b>&\u2028\u0000\"\\/\n", "ключ": "key",
	}
	for _, w := range r.ways() {
		v := r.logIn(t, w.from, "hour")
		v.post(t, w.from, "/drop", data{"key": "user"})
		v.post(t, w.from, "/merge", values)
		v.post(t, w.to, "/count", nil)
		want := data{"visits": 1.0}
		for key, value := range values {
			want[key] = value
		}
		for _, s := range []side{w.from, w.to} {
			if a := v.get(t, s, "/read"); !reflect.DeepEqual(a.Data, want) {
				t.Errorf("%s put in\n%v\nand %s reads\n%v", w.from.name, want, s.name, a.Data)
			}
		}
	}
}
