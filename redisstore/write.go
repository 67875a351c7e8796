package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/batch"
	"github.com/nestsession/session/store"
)

// write is a creation or an update under way.
type write struct {
	s        *Store
	id       string
	owner    string
	keys     [3]string // of the session, of the owner's index, and of its count
	args     [argsOfWrite]string
	version  store.Version
	hasOwner bool // there is an owner, whose index has to list the session
	done     bool // the server has confirmed the write
	due      []entry
}

func (s *Store) newWrite(r store.Record) *write {
	w := &write{s: s, id: r.ID, owner: r.Owner, hasOwner: s.hasOwners && r.Owner != ""}
	value, v, owner := s.layout.encode(r)
	w.version = v
	w.keys[0] = s.key(r.ID)
	w.args = [argsOfWrite]string{
		argValue: value, argExpiry: s.layout.expiry(r.Expires), argID: r.ID,
		argVersion: s.layout.known(r.Version), argOwner: owner, argIndexPrefix: s.indexPrefix, argCountPrefix: s.countPrefix,
		argHeaderEnd: headerEnd(owner),
	}
	if w.hasOwner {
		w.keys[1], w.keys[2] = s.ownerKey(r.Owner), s.countKey(r.Owner)
		w.args[argScore], w.args[argDueUntil] = number(milli(r.Expires)), number(s.dueUntil())
	}
	if s.tracking != nil {
		s.tracking.expect(r, v)
	}
	return w
}

// end is called when the call returns.
func (w *write) end() {
	if w.s.tracking != nil && !w.done {
		w.s.tracking.forget(w.id, w.version)
	}
}

// run runs the script and returns its outcome.
func (w *write) run(ctx context.Context, sc *script, keys []string) (outcome int64, err error) {
	return w.outcome(w.s.eval(ctx, sc, keys, w.args[:]))
}

// errStalled ends a write that could outlive its entry in the index.
var errStalled = errors.New("the process stood still between two commands: try again")

// writeIndex writes the owner's index before the session is written.
func (w *write) writeIndex(ctx context.Context) error {
	start := w.s.config.Now()
	if _, err := w.outcome(w.s.eval(ctx, &indexAddScript, w.keys[1:], w.args[argID:argDueUntil+1])); err != nil {
		return err
	}
	w.args[argListed] = "1"
	if w.s.config.Now().Round(0).Sub(start.Round(0)).Abs() > grace/2 {
		return errStalled
	}
	return nil
}

// outcome decodes the answer of a script that may have written the index.
func (w *write) outcome(answer rueidis.RedisResult) (outcome int64, err error) {
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

// trim trims the due entries of the owner. If that fails, the write does not: a later call
// trims them.
func (w *write) trim(ctx context.Context) {
	if len(w.due) > 0 {
		_, _ = w.s.trimEntries(ctx, w.owner, w.due)
	}
}

// grace is how long an entry is kept after its score: for writers between their two
// commands, for clocks that differ, and for the late save of a Node application, which
// writes back a session that has just ended.
const grace = time.Hour

// dueUntil is the score up to which entries are due.
func (s *Store) dueUntil() int64 {
	return s.config.Now().Add(-grace).UnixMilli()
}

// The most sessions that one script updates, and the most bytes of a value in it: the server
// runs nothing else meanwhile.
const (
	maxUpdates = 64
	maxValue   = 16 << 10
)

// update is an update of one session. A batch of them is one run of a script, which costs
// the server and rueidis about half of as many runs.
type update struct {
	keys    []string
	args    []string
	batched bool

	answer rueidis.RedisResult // if not batched: the script's

	outcome int64 // if batched
	err     error
}

func (s *Store) newUpdates(client rueidis.Client) *batch.Queue[update] {
	sendBatch := func(ctx context.Context, calls []*update) { s.updateBatch(ctx, client, calls) }
	unbatched := func(ctx context.Context, u *update) (ok bool) {
		sc := &s.layout.scripts().update
		u.answer, ok = s.direct.do(ctx, false, func() rueidis.Completed { return sc.blocking(s.b, u.keys, u.args) })
		return ok && !isNoScript(u.answer.Error())
	}
	return &batch.Queue[update]{Send: sendBatch, Unbatched: unbatched, MaxInFlight: maxInFlight, MaxCalls: maxUpdates}
}

func (s *Store) updateBatch(ctx context.Context, client rueidis.Client, calls []*update) {
	send := func(cmd rueidis.Completed) rueidis.RedisResult {
		return send(ctx, client, false, rueidis.Commands{cmd})[0]
	}
	if len(calls) == 1 {
		calls[0].answer = s.layout.scripts().update.run(s.b, calls[0].keys, calls[0].args, send)
		return
	}
	// The script reads all sessions before it writes one. So of several updates of one
	// session only the first is batched.
	sent := make(map[string]bool, len(calls))
	first := calls[:0:0]
	keys, args := make([]string, 0, len(calls)), make([]string, 0, 4*len(calls)+3)
	for _, u := range calls {
		u.batched, u.outcome = true, unbatched
		if key := u.keys[0]; !sent[key] {
			sent[key] = true
			first = append(first, u)
			keys = append(keys, key)
			args = append(args, u.args[argValue], u.args[argExpiry], u.args[argVersion], u.args[argOwner])
		}
	}
	args = append(args, s.indexPrefix, s.countPrefix, number(int64(len(s.config.Prefix))))
	notDone, err := s.layout.scripts().updateMany.run(s.b, keys, args, send).AsIntSlice()
	if isTryAgain(err) {
		return // each caller runs the script for one session
	}
	for _, u := range first {
		u.outcome, u.err = done, err
	}
	for i := 0; i+1 < len(notDone); i += 2 {
		first[notDone[i]-1].outcome = notDone[i+1]
	}
}
