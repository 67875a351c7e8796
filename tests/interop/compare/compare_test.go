package compare

import (
	"slices"
	"testing"

	"github.com/nestsession/session/tests/interop/scenario"
)

func TestCallsThatDoNotCount(t *testing.T) {
	t.Parallel()
	before := scenario.Store{"main": {"S1": nil, "given": nil}}
	for name, c := range map[string]struct {
		a, b []string
		same bool
	}{
		"set twice":                        {[]string{"set S1", "set S1"}, []string{"set S1"}, true},
		"destroyed twice":                  {[]string{"destroy S1", "destroy S1"}, []string{"destroy S1"}, true},
		"destroyed and never stored":       {[]string{"destroy U1", "set S2"}, []string{"set S2"}, true},
		"that is seen by its id":           {[]string{"destroy S4"}, nil, true},
		"destroyed with an error":          {[]string{"destroy U1 error"}, nil, true},
		"two ids that nobody sees":         {[]string{"get U1 miss"}, []string{"get U7 miss"}, true},
		"destroyed and stored before":      {[]string{"destroy S1"}, nil, false},
		"destroyed and stored just now":    {[]string{"set U1", "destroy U1"}, []string{"set U1"}, false},
		"destroyed by a name of its own":   {[]string{"destroy stranger"}, nil, false},
		"touched twice":                    {[]string{"touch S1", "touch S1"}, []string{"touch S1"}, false},
		"got twice":                        {[]string{"get S1 hit", "get S1 hit"}, []string{"get S1 hit"}, false},
		"set with an error":                {[]string{"set S1 error"}, []string{"set S1"}, false},
		"hit and miss":                     {[]string{"get S1 hit"}, []string{"get S1 miss"}, false},
		"another store":                    {[]string{"second:get S1 hit"}, []string{"get S1 hit"}, false},
		"another order":                    {[]string{"get S1 hit", "set S1"}, []string{"set S1", "get S1 hit"}, false},
		"an id that looks like an outcome": {[]string{"get a hit hit"}, []string{"get a hit"}, false},
	} {
		want, got := &scenario.Result{Calls: c.a}, &scenario.Result{Calls: c.b}
		if found := Results(before, want, got); (len(found) == 0) != c.same {
			t.Errorf("%s: %q and %q: %+v", name, c.a, c.b, found)
		}
		if found := Results(before, got, want); (len(found) == 0) != c.same {
			t.Errorf("%s, the other way round: %+v", name, found)
		}
	}
}

func TestCookieMembersAreReadAsExpressSessionDoes(t *testing.T) {
	t.Parallel()
	type member = map[string]any
	for name, c := range map[string]struct {
		a, b member
		same bool
	}{
		"null and missing":       {member{"domain": nil, "expires": nil}, member{}, true},
		"defaults":               {member{}, member{"path": "/", "httpOnly": true}, true},
		"no path":                {member{"path": nil}, member{}, false},
		"http-only null":         {member{"httpOnly": nil}, member{"httpOnly": false}, true},
		"http-only off":          {member{"httpOnly": false}, member{}, false},
		"secure off":             {member{"secure": false, "partitioned": false}, member{}, true},
		"secure on":              {member{"secure": true}, member{}, false},
		"secure auto":            {member{"secure": "auto"}, member{"secure": true}, false},
		"same site in two words": {member{"sameSite": true}, member{"sameSite": "strict"}, true},
		"same site in two cases": {member{"sameSite": "LAX"}, member{"sameSite": "lax"}, true},
		"same site off":          {member{"sameSite": false}, member{}, true},
		"another same site":      {member{"sameSite": "lax"}, member{"sameSite": "none"}, false},
		"priority":               {member{"priority": "HIGH"}, member{"priority": "high"}, true},
		"unknown member":         {member{"color": "red"}, member{}, true},
		"lifetime false":         {member{"originalMaxAge": false}, member{"originalMaxAge": nil}, false},
		"date false":             {member{"originalMaxAge": false, "expires": false}, member{"originalMaxAge": false}, false},
		"date false alone":       {member{"expires": false}, member{}, true},
		"invalid date":           {member{"expires": "soon"}, member{}, true},
		"date zero":              {member{"expires": 0.0}, member{}, true},
		"lifetime cut":           {member{"originalMaxAge": 1500.9}, member{"originalMaxAge": 1500.0}, true},
		"another lifetime":       {member{"originalMaxAge": 1501.0}, member{"originalMaxAge": 1500.0}, false},
		"lifetime as text":       {member{"originalMaxAge": "1500"}, member{"originalMaxAge": 1500.0}, false},
	} {
		doc := func(m member) *scenario.Result {
			return &scenario.Result{Store: scenario.Store{"main": {"S1": map[string]any{"cookie": m, "n": 1.0}}}}
		}
		if found := Results(nil, doc(c.a), doc(c.b)); (len(found) == 0) != c.same {
			t.Errorf("%s: %v and %v: %+v", name, c.a, c.b, found)
		}
		seen := func(m member) *scenario.Result {
			return &scenario.Result{Values: []scenario.Value{{Op: "cookie", Value: m, HasValue: true}}}
		}
		if found := Results(nil, seen(c.a), seen(c.b)); (len(found) == 0) != c.same {
			t.Errorf("%s, as a handler sees it: %+v", name, found)
		}
	}
	for name, doc := range map[string]any{"no object": []any{}, "no cookie": map[string]any{"n": 1.0}, "cookie null": map[string]any{"cookie": nil}} {
		if Document(doc) == nil {
			t.Errorf("%s: is nothing", name)
		}
	}
}

func TestFraming(t *testing.T) {
	t.Parallel()
	node := &scenario.Result{Headers: map[string]string{"x-app": "1", "date": "d", "transfer-encoding": "chunked"}}
	golang := &scenario.Result{Headers: map[string]string{"x-app": "1", "content-length": "3", "content-type": "text/plain", "connection": "close"}}
	if found := Results(nil, node, golang); len(found) != 0 {
		t.Errorf("headers that do not count differ: %+v", found)
	}
	typed := &scenario.Result{Headers: map[string]string{"x-app": "1", "content-type": "text/html"}}
	if found := Results(nil, typed, golang); len(found) != 1 || found[0].Field != Headers {
		t.Errorf("a content type that is asked for does not count: %+v", found)
	}
	page := &scenario.Result{Status: 500, Body: "error: x", ErrorResponse: true}
	if found := Results(nil, page, &scenario.Result{Status: 500, Body: "Internal Server Error"}); len(found) != 0 {
		t.Errorf("of an error's page the text counts: %+v", found)
	}
	if found := Results(nil, page, &scenario.Result{Status: 200, Body: "fine"}); len(found) != 2 {
		t.Errorf("a page that is not an error's: %+v", found)
	}
}

func TestDifferencesSayWhere(t *testing.T) {
	t.Parallel()
	inner := scenario.Result{Status: 200}
	other := scenario.Result{Status: 201}
	want := &scenario.Result{Values: []scenario.Value{{I: 3, Op: "nested", Result: &inner}}, Store: scenario.Store{"main": {"S1": 1.0}}}
	got := &scenario.Result{Values: []scenario.Value{{I: 3, Op: "nested", Result: &other}, {I: 4, Op: "id", Value: "S1", HasValue: true}}}
	found := Results(nil, want, got)
	paths := []string{}
	for _, d := range found {
		paths = append(paths, d.Path)
	}
	if !slices.Equal(paths, []string{"values[0].result.status", "values[1]", "store main S1"}) {
		t.Errorf("differences at %q", paths)
	}
	if d := found[0]; d.WantedOf != &inner || d.GotOf != &other {
		t.Error("the difference within does not say whose it is")
	}
	// Keys may come in any order, and errors have any text.
	a := &scenario.Result{Values: []scenario.Value{{Op: "keys", Value: []any{"b", "a"}, HasValue: true}, {Op: "save", Error: new(string)}}}
	b := &scenario.Result{Values: []scenario.Value{{Op: "keys", Value: []any{"a", "b"}, HasValue: true}, {Op: "save"}}}
	if found := Results(nil, a, b); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
}
