package linear

import (
	"github.com/anishathalye/porcupine"
	"github.com/nestsession/session/store"
)

// state is what a store keeps under one id.
//
// A record that has expired stays in it: whether it is over is asked of each
// operation by itself. A store judges by the time at which it happened to look,
// anywhere between call and return, which need not be in the order in which the
// operations take effect; so a call of which that time lies on both sides of the
// expiry may find the record live or over.
type state struct {
	kept    bool
	content content
	expires int64
	version store.Version // 0: to be learnt, see touched

	// free says that content and expiry are not known either: the record is one of
	// before the history.
	free bool
}

// anything is where a history begins of which the past is not known, if a record
// is kept.
var anything = state{kept: true, free: true}

// rules are the contract, for a store whose clock and expiries are exact to slack.
type rules struct{ slack int64 }

// mayLive tells whether an operation that was called at from may take the record
// for live.
func (m rules) mayLive(s state, from int64) bool {
	return s.kept && (s.free || s.expires+m.slack > from)
}

// mayBeOver tells whether an operation that had returned at until may find nothing.
func (m rules) mayBeOver(s state, until int64) bool {
	return !s.kept || s.free || s.expires-m.slack <= until
}

// step tells whether the answer is right in the state, and what follows.
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
	return false, s // this method does not return that error
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

// perhaps is what follows from a call that may have taken effect. That it has not
// is the same as that it does after all others, where nobody sees it; so here it
// has, if the state lets it.
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

// matches tells whether the record may be in the version that an update names.
// Where that is not known, it still has the content that the version stands for.
func (s state) matches(c call) bool {
	if s.version != 0 {
		return s.version == c.version
	}
	return s.free || s.content == c.basis
}

func written(c call, v store.Version, now int64) state {
	if c.expires <= now {
		v = 0 // nobody can ever read it
	}
	return state{kept: true, content: c.content, expires: c.expires, version: v}
}

// touched leaves the version open: it may have changed or not.
func touched(s state, c call) state {
	s.expires, s.version = c.expires, 0
	return s
}

// model is the contract of one id, beginning with first.
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
