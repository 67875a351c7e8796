package linear

import (
	"testing"
	"time"
)

const hour = int64(time.Hour)

var (
	red  = content{"red", "user:1"}
	blue = content{"blue", "user:2"}

	none  = state{}
	alive = state{kept: true, content: red, expires: hour, version: 7}
	over  = state{kept: true, content: red, expires: -hour, version: 7}
	open  = state{kept: true, content: red, expires: hour} // its version is not known
	edge  = state{kept: true, content: red, expires: 0, version: 7}
)

// Each answer of each method in each state: whether it is right, and the next state.
func TestStep(t *testing.T) {
	t.Parallel()
	read := answer{content: red, expires: hour, version: 7}
	other := func(change func(*answer)) answer { a := read; change(&a); return a }
	swap := call{method: update, content: blue, expires: 2 * hour, version: 7, basis: red}
	stale := call{method: update, content: blue, expires: 2 * hour, version: 6, basis: blue}
	birth := call{method: create, content: blue, expires: 2 * hour}
	blued := state{kept: true, content: blue, expires: 2 * hour, version: 8}
	moved := call{method: touch, expires: 3 * hour}
	ok8, is := answer{version: 8}, func(o outcome) answer { return answer{outcome: o} }
	touchedAlive := state{kept: true, content: red, expires: 3 * hour}
	lost := func(s state) state { s.version = 0; return s }

	for name, test := range map[string]struct {
		before state
		call   call
		answer answer
		right  bool
		after  state // if it is right
	}{
		"load":                        {alive, call{}, read, true, alive},
		"load other data":             {alive, call{}, other(func(a *answer) { a.content.data = "blue" }), false, none},
		"load another owner":          {alive, call{}, other(func(a *answer) { a.content.owner = "" }), false, none},
		"load another version":        {alive, call{}, other(func(a *answer) { a.version = 8 }), false, none},
		"load another expiry":         {alive, call{}, other(func(a *answer) { a.expires += hour / 60 }), false, none},
		"load an expiry rounded":      {alive, call{}, other(func(a *answer) { a.expires++ }), true, alive},
		"load nothing of a live one":  {alive, call{}, is(notFound), false, none},
		"load nothing":                {none, call{}, is(notFound), true, none},
		"load what is not there":      {none, call{}, read, false, none},
		"load what is over":           {over, call{}, other(func(a *answer) { a.expires = -hour }), false, none},
		"load nothing of what's over": {over, call{}, is(notFound), true, over},
		"load at the edge":            {edge, call{}, other(func(a *answer) { a.expires = 0 }), true, edge},
		"load nothing at the edge":    {edge, call{}, is(notFound), true, edge},
		"load learns the version":     {open, call{}, read, true, alive},
		"load with a foreign error":   {alive, call{}, is(conflict), false, none},
		"load of anything":            {anything, call{}, read, true, alive},
		"load nothing of anything":    {anything, call{}, is(notFound), true, anything},

		"create":                      {none, birth, ok8, true, blued},
		"create over what's over":     {over, birth, ok8, true, blued},
		"create over a live one":      {alive, birth, ok8, false, none},
		"create refused":              {alive, birth, is(exists), true, alive},
		"create refused for none":     {none, birth, is(exists), false, none},
		"create refused for an ended": {over, birth, is(exists), false, none},
		"create finds none":           {none, birth, is(notFound), false, none},
		"create of what is over":      {none, call{method: create, content: blue, expires: -hour}, ok8, true, state{kept: true, content: blue, expires: -hour}},

		"update":                          {alive, swap, ok8, true, blued},
		"update of an old version":        {alive, stale, ok8, false, none},
		"update of none":                  {none, swap, ok8, false, none},
		"update of what is over":          {over, swap, ok8, false, none},
		"update after a touch":            {open, swap, ok8, true, blued},
		"update of other content":         {open, stale, ok8, false, none},
		"update of anything":              {anything, swap, ok8, true, blued},
		"conflict":                        {alive, stale, is(conflict), true, alive},
		"conflict without reason":         {alive, swap, is(conflict), false, none},
		"conflict after a touch":          {open, swap, is(conflict), true, open},
		"conflict with none":              {none, stale, is(conflict), false, none},
		"conflict with what is over":      {over, stale, is(conflict), false, none},
		"update finds none":               {none, swap, is(notFound), true, none},
		"update finds none of a live one": {alive, swap, is(notFound), false, none},
		"update finds none of one over":   {over, swap, is(notFound), true, over},
		"update fails with ErrExists":     {alive, swap, is(exists), false, none},

		"touch":                          {alive, moved, answer{}, true, touchedAlive},
		"touch of none":                  {none, moved, answer{}, false, none},
		"touch of what is over":          {over, moved, answer{}, false, none},
		"touch finds none":               {none, moved, is(notFound), true, none},
		"touch finds none of a live one": {alive, moved, is(notFound), false, none},
		"touch in conflict":              {alive, moved, is(conflict), false, none},

		"delete":           {alive, call{method: remove}, answer{}, true, none},
		"delete of none":   {none, call{method: remove}, answer{}, true, none},
		"delete not found": {none, call{method: remove}, is(notFound), false, none},

		"perhaps loaded":                       {alive, call{}, is(unknown), true, alive},
		"perhaps created":                      {none, birth, is(unknown), true, lost(blued)},
		"perhaps created over one over":        {over, birth, is(unknown), true, lost(blued)},
		"perhaps created, not over a live one": {alive, birth, is(unknown), true, alive},
		"perhaps updated":                      {alive, swap, is(unknown), true, lost(blued)},
		"perhaps updated, not an old version":  {alive, stale, is(unknown), true, alive},
		"perhaps updated, not none":            {none, swap, is(unknown), true, none},
		"perhaps touched":                      {alive, moved, is(unknown), true, touchedAlive},
		"perhaps touched, not none":            {none, moved, is(unknown), true, none},
		"perhaps deleted":                      {alive, call{method: remove}, is(unknown), true, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			right, after := rules{slack: int64(time.Millisecond)}.step(test.before, test.call, test.answer)
			if right != test.right {
				t.Fatalf("the answer is right: %v, want %v", right, test.right)
			}
			if right && after != test.after {
				t.Errorf("afterwards %+v\nwant       %+v", after, test.after)
			}
		})
	}
}

// An expiry is judged by the clock between call and return, with the slack added on both sides.
func TestExpiryIsJudgedBetweenCallAndReturn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		from, until, slack int64
		live, over         bool
	}{
		{-20, -10, 0, true, false},
		{-20, 10, 0, true, true},
		{10, 20, 0, false, true},
		{0, 0, 0, false, true}, // the record may have expired when its expiry has come
		{-20, -10, 9, true, false},
		{-20, -10, 10, true, true},
		{9, 20, 10, true, true},
		{10, 20, 10, false, true},
	} {
		m := rules{slack: test.slack}
		if got := m.mayLive(edge, test.from); got != test.live {
			t.Errorf("%+v: may live: %v", test, got)
		}
		if got := m.mayBeOver(edge, test.until); got != test.over {
			t.Errorf("%+v: may be over: %v", test, got)
		}
	}
}
