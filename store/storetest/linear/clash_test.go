package linear

import "testing"

func TestClash(t *testing.T) {
	t.Parallel()
	born := operation{call: call{method: create, id: "a", content: red, expires: hour}, answer: answer{version: 7}}
	seen := operation{call: call{method: load, id: "a"}, answer: answer{version: 7, content: red}}
	with := func(o operation, change func(*operation)) operation { change(&o); return o }
	for name, test := range map[string]struct {
		second operation
		found  int
	}{
		"equal content":                {seen, 0},
		"other content":                {with(seen, func(o *operation) { o.answer.content = blue }), 2},
		"written again":                {with(born, func(o *operation) { o.call.method = update }), 0},
		"written with other content":   {with(born, func(o *operation) { o.call.content = blue }), 2},
		"of another id":                {with(seen, func(o *operation) { o.call.id, o.answer.content = "b", blue }), 0},
		"another version":              {with(seen, func(o *operation) { o.answer.version, o.answer.content = 8, blue }), 0},
		"zero":                         {with(seen, func(o *operation) { o.answer.version = 0 }), 1},
		"zero of what nobody can read": {with(born, func(o *operation) { o.call.expires, o.answer.version = -hour, 0 }), 0},
		"zero of a failure":            {operation{call: call{id: "a"}, answer: answer{outcome: notFound}}, 0},
		"zero of a touch":              {operation{call: call{id: "a", method: touch}}, 0},
		"zero of a delete":             {operation{call: call{id: "a", method: remove}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := clash([]operation{born, test.second}); len(got) != test.found {
				t.Errorf("%d operations clash, want %d", len(got), test.found)
			}
		})
	}
}
