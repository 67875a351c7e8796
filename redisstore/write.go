package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// writing is a creation or an update under way.
type writing struct {
	s       *Store
	id      string
	owner   string
	keys    [3]string  // of the session, of the owner's index, and of its count
	args    [10]string // see scripts
	version store.Version
	listed  bool // there is an owner to be listed
	apart   bool // and its index has to be written before, by itself
	done    bool // the server has said so
	due     []entry
}

func (s *Store) writing(r store.Record) *writing {
	w := &writing{s: s, id: r.ID, owner: r.Owner, listed: s.owned && r.Owner != ""}
	value, v, owner := s.layout.value(r)
	w.version = v
	w.keys[0] = s.key(r.ID)
	w.args = [10]string{0: value, 1: s.layout.lifetime(r.Expires), 2: r.ID, 5: version(r.Version), 6: owner, 8: s.indexes, 9: s.counts}
	if w.listed {
		w.apart = s.spread
		w.keys[1], w.keys[2] = s.ownerKey(r.Owner), s.countKey(r.Owner)
		w.args[3], w.args[4] = number(milli(r.Expires)), number(s.dueBefore())
	}
	if s.tracking != nil {
		s.tracking.expect(r, v)
	}
	return w
}

// end is the end of the call.
func (w *writing) end() {
	if w.s.tracking != nil && !w.done {
		w.s.tracking.dismiss(w.id, w.version)
	}
}

// run runs the script and says what came of it.
func (w *writing) run(ctx context.Context, sc *script) (outcome int64, err error) {
	return w.outcome(w.s.eval(ctx, sc, w.scriptKeys(), w.args[:]))
}

func (w *writing) scriptKeys() []string {
	if w.listed && !w.apart {
		return w.keys[:]
	}
	return w.keys[:1]
}

// errStalled ends a write that could outlive its entry in the index.
var errStalled = errors.New("the process stood still between two commands: try again")

// list writes the owner's index ahead of the session.
func (w *writing) list(ctx context.Context) error {
	start := w.s.config.Now()
	if _, err := w.outcome(w.s.eval(ctx, &listScript, w.keys[1:], w.args[2:5])); err != nil {
		return err
	}
	w.args[7] = "1"
	if w.s.config.Now().Round(0).Sub(start.Round(0)).Abs() > grace/2 {
		return errStalled
	}
	return nil
}

// outcome reads the answer of a script that may have listed the session.
func (w *writing) outcome(answer rueidis.RedisResult) (outcome int64, err error) {
	m, err := answer.ToMessage()
	if err != nil {
		return 0, err
	}
	if !m.IsArray() {
		return m.AsInt64()
	}
	parts, err := m.ToArray()
	if err != nil {
		return 0, err
	}
	for i := 1; i+1 < len(parts); i += 2 {
		id, err1 := parts[i].ToString()
		score, err2 := parts[i+1].AsFloat64()
		if err := errors.Join(err1, err2); err != nil {
			return 0, err
		}
		w.due = append(w.due, entry{id, int64(score)})
	}
	return parts[0].AsInt64()
}

// trim sees to the entries of the owner that are due. That it fails is no failure
// of the write: somebody else will see to them.
func (w *writing) trim(ctx context.Context) {
	if len(w.due) > 0 {
		_, _ = w.s.settle(ctx, w.owner, w.due)
	}
}

// grace is how long an entry is kept after its time: for writers between their two
// commands, for clocks that differ, and for the late save of a Node application,
// which writes back a session that has just ended.
const grace = time.Hour

// dueBefore is the score up to which entries are due.
func (s *Store) dueBefore() int64 {
	return s.config.Now().Add(-grace).UnixMilli()
}
