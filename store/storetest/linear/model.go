package linear

import (
	"github.com/anishathalye/porcupine"
	"github.com/nestsession/session/store"
)

// state is what a store keeps under one id.
//
// A record that has expired stays in the state: whether it had expired is judged for each operation
// separately. A store judges by the time at which it looked, which may be any time between call and
// return, and need not be in the order in which the operations take effect. So if the expiry lies
// between call and return, the call may find the record live or expired.
type state struct {
	kept    bool
	content content
	expires int64
	version store.Version // 0: not known yet, see touched

	// free says that content and expiry are not known either: the record is older than the history.
	free bool
}

// anything is the state at the beginning of a history whose past is not known, if there is a
// record.
var anything = state{kept: true, free: true}

// rules are the contract, for a store whose clock and expiries are accurate to slack.
type rules struct{ slack int64 }

// mayLive reports whether an operation that was called at from may find the record live.
func (m rules) mayLive(s state, from int64) bool {
	return s.kept && (s.free || s.expires+m.slack > from)
}

// mayBeOver reports whether an operation that returned by until may find the record expired.
func (m rules) mayBeOver(s state, until int64) bool {
	return !s.kept || s.free || s.expires-m.slack <= until
}

// step reports whether the answer is right in the state, and returns the next state.
func (m rules) step(s state, c call, a answer) (bool, state) {
	if a.outcome == unknown {
		return true, m.perhaps(s, c, a)
	}
	if a.outcome == notFound && c.method != create && c.method != remove {
		return m.mayBeOver(s, a.until), s
	}
	switch c.method {
	case load:
		return m.loaded(s, c, a)
	case create:
		switch a.outcome {
		case done:
			return m.mayBeOver(s, a.until), written(c, a.version, a.until)
		case exists:
			return m.mayLive(s, c.from), s
		}
	case update:
		switch a.outcome {
		case done:
			return m.mayLive(s, c.from) && s.matches(c), written(c, a.version, a.until)
		case conflict:
			return m.mayLive(s, c.from) && (s.version == 0 || s.version != c.version), s
		}
	case touch:
		if a.outcome == done {
			return m.mayLive(s, c.from), touched(s, c)
		}
	case remove:
		if a.outcome == done {
			return true, state{}
		}
	}
	return false, s // this method never returns that error
}

func (m rules) loaded(s state, c call, a answer) (bool, state) {
	ok := a.outcome == done && m.mayLive(s, c.from) && (s.version == 0 || s.version == a.version)
	if s.free {
		s.content, s.expires, s.free = a.content, a.expires, false
	}
	off := max(s.expires-a.expires, a.expires-s.expires)
	ok = ok && s.content == a.content && off <= m.slack+a.until-c.from
	s.version = a.version
	return ok, s
}

// perhaps returns the state after a call that may have taken effect. A call without effect is like
// one that takes effect after all others, where nobody sees it. So perhaps applies the call if the
// state allows it.
func (m rules) perhaps(s state, c call, a answer) state {
	switch {
	case c.method == create && m.mayBeOver(s, a.until),
		c.method == update && m.mayLive(s, c.from) && s.matches(c):
		return written(c, 0, a.until)
	case c.method == touch && m.mayLive(s, c.from):
		return touched(s, c)
	case c.method == remove:
		return state{}
	}
	return s
}

// matches reports whether the record may have the version that an update names. If its version is
// not known, it must have the content of that version.
func (s state) matches(c call) bool {
	if s.version != 0 {
		return s.version == c.version
	}
	return s.free || s.content == c.basis
}

func written(c call, v store.Version, now int64) state {
	if c.expires <= now {
		v = 0 // the record is expired already, and nobody can read it
	}
	return state{kept: true, content: c.content, expires: c.expires, version: v}
}

// touched makes the version unknown: Touch may change it or not.
func touched(s state, c call) state {
	s.expires, s.version = c.expires, 0
	return s
}

// model is the contract for one id, starting with the state first.
func (m rules) model(first state, names *names) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return first },
		Step: func(s, in, out any) (bool, any) {
			return m.step(s.(state), in.(call), out.(answer))
		},
		Partition:         partition,
		DescribeOperation: func(in, out any) string { return names.operation(in.(call), out.(answer)) },
		DescribeState:     func(s any) string { return names.state(s.(state)) },
	}
}

// partition splits a history by id.
func partition(history []porcupine.Operation) [][]porcupine.Operation {
	var parts [][]porcupine.Operation
	at := map[string]int{}
	for _, op := range history {
		id := op.Input.(call).id
		i, ok := at[id]
		if !ok {
			i = len(parts)
			at[id] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], op)
	}
	return parts
}
