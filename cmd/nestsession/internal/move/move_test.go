package move_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/move"
	"github.com/nestsession/session/store"
)

func TestCopiesAllAndLeavesTheSourceAsItWas(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	from.put(t, "a", "user:1", saved("ada", 1), soon)
	from.put(t, "b", "", `not JSON at all`, soon)
	from.put(t, "c", "user:1", pointer, soon)
	from.put(t, "d", "", saved("dan", 1), time.Time{})
	to.put(t, "other", "user:9", saved("eve", 1), soon)
	run(t, from, to, move.Options{}, map[move.Outcome]int64{move.Copied: 4})
	for _, p := range []*place{from, to} {
		p.is(t, "a", "user:1", saved("ada", 1), soon)
		p.is(t, "b", "", `not JSON at all`, soon)
		p.is(t, "c", "user:1", pointer, soon)
		p.is(t, "d", "", saved("dan", 1), time.Time{})
	}
	to.is(t, "other", "user:9", saved("eve", 1), soon)
	// A second run does nothing.
	to.create = func(store.Record) error { return store.ErrExists }
	run(t, from, to, move.Options{}, map[move.Outcome]int64{move.Same: 4})
}

func TestNewerSessionsStay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from, to string
		want     move.Outcome
	}{
		"saved later at the source":                  {saved("ada", 2), saved("old", 1), move.Replaced},
		"saved later at the destination":             {saved("old", 1), saved("ada", 2), move.Newer},
		"saved at the same moment":                   {saved("ada", 1), saved("bob", 1), move.Unclear},
		"Node, later at the source":                  {savedByNode("ada", 2), savedByNode("old", 1), move.Replaced},
		"Node, later at the destination":             {savedByNode("old", 1), savedByNode("ada", 2), move.Newer},
		"saved here, and then by Node":               {saved("old", 1), savedByNode("ada", 2), move.Newer},
		"the destination does not say when":          {saved("ada", 2), `{"cookie":{"originalMaxAge":null,"expires":null},"user":"old"}`, move.Unclear},
		"the source does not say when":               {`{"cookie":{"originalMaxAge":null,"expires":null},"user":"old"}`, saved("ada", 2), move.Unclear},
		"neither is JSON":                            {"x", "y", move.Unclear},
		"a lifetime that is text":                    {`{"cookie":{"originalMaxAge":"1","expires":false}}`, saved("ada", 2), move.Unclear},
		"renewed at the source":                      {pointer, saved("old", 1), move.Replaced},
		"renewed at the destination":                 {saved("old", 9), pointer, move.Newer},
		"our note is older than what Node has saved": {nodeAfterUs(3), saved("old", 2), move.Replaced},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newPlace(t), newPlace(t)
			from.put(t, "id", "user:1", c.from, soon)
			to.put(t, "id", "user:1", c.to, soon.Add(time.Minute))
			run(t, from, to, move.Options{}, map[move.Outcome]int64{c.want: 1})
			if c.want == move.Replaced {
				to.is(t, "id", "user:1", c.from, soon)
			} else {
				to.is(t, "id", "user:1", c.to, soon.Add(time.Minute))
			}
			from.is(t, "id", "user:1", c.from, soon)
		})
	}
}

// nodeAfterUs is a document that express-session saved after this library.
func nodeAfterUs(at int) string {
	doc := savedByNode("ada", at)
	return doc[:len(doc)-1] + `,"__nestsession":{"created":1000,"used":1000}}`
}

func TestTheLaterExpiryCounts(t *testing.T) {
	t.Parallel()
	later, earlier := soon.Add(time.Minute), soon.Add(-time.Minute)
	for name, c := range map[string]struct {
		from, to, want time.Time
		outcome        move.Outcome
	}{
		"later at the source":             {later, soon, later, move.Extended},
		"later at the destination":        {earlier, soon, soon, move.Same},
		"rounded at the destination":      {soon.Add(999 * time.Millisecond), soon, soon, move.Same},
		"never at the source":             {time.Time{}, soon, soon, move.Same},
		"never at the destination":        {soon, time.Time{}, time.Time{}, move.Same},
		"the same":                        {soon, soon, soon, move.Same},
		"a whole second later is touched": {soon.Add(time.Second), soon, soon.Add(time.Second), move.Extended},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newPlace(t), newPlace(t)
			from.put(t, "id", "", saved("ada", 1), c.from)
			to.put(t, "id", "", saved("ada", 1), c.to)
			run(t, from, to, move.Options{}, map[move.Outcome]int64{c.outcome: 1})
			to.is(t, "id", "", saved("ada", 1), c.want)
		})
	}
}

// A write at the destination between the copy's load and its update makes the copy load again.
func TestAWriteThatComesBetweenIsNotOverwritten(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	from.put(t, "id", "", saved("ada", 2), soon)
	to.put(t, "id", "", saved("old", 1), soon)
	to.update = func(store.Record) error {
		to.update = nil
		there, err := to.Load(t.Context(), "id")
		if err != nil {
			return err
		}
		there.Data = []byte(saved("newest", 3))
		_, err = to.Store.Update(t.Context(), there)
		return err
	}
	run(t, from, to, move.Options{}, map[move.Outcome]int64{move.Newer: 1})
	to.is(t, "id", "", saved("newest", 3), soon)
}

func TestExpiredOnTheWay(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	from.put(t, "id", "", saved("ada", 1), soon)
	from.put(t, "kept", "", saved("ada", 1), time.Time{})
	run(t, from, to, move.Options{Now: func() time.Time { return soon }}, map[move.Outcome]int64{move.Expired: 1, move.Copied: 1})
	to.isNot(t, "id")
}

func TestIdsBecomeTheHashesThatThisLibraryLooksFor(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	from.put(t, "plain", "", savedByNode("ada", 1), soon)
	from.put(t, "renewed", "", pointer, soon)
	run(t, from, to, move.Options{HashIDs: true, Scope: "connect.sid"}, map[move.Outcome]int64{move.Copied: 1, move.Pointer: 1})
	to.is(t, session.RecordID("connect.sid", "plain"), "", savedByNode("ada", 1), soon)
	to.isNot(t, "plain")
}

func TestOwnersAreNotLost(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	inDocument := `{"cookie":{},"__nestsession":{"owner":"user:1"}}`
	from.put(t, "in the document", "user:1", inDocument, soon)
	from.put(t, "beside it", "user:1", saved("ada", 1), soon)
	from.put(t, "nobody's", "", saved("ada", 1), soon)
	var left []string
	run(t, from, to, move.Options{Ownerless: true, Left: func(key string, _ move.Outcome, _ error) { left = append(left, key) }},
		map[move.Outcome]int64{move.Copied: 2, move.OwnerLost: 1})
	if len(left) != 1 || left[0] != "beside it" {
		t.Errorf("reported %q", left)
	}
	run(t, from, to, move.Options{}, map[move.Outcome]int64{move.Copied: 1, move.Same: 2})
}

func TestInterruptedAndRunAgain(t *testing.T) {
	t.Parallel()
	const n = 500
	from, to := newPlace(t), newPlace(t)
	for i := range n {
		from.put(t, fmt.Sprint(i), "user:1", saved("ada", 1), soon)
	}
	ctx, press := context.WithCancel(t.Context())
	var created atomic.Int64
	to.create = func(store.Record) error {
		if created.Add(1) == n/2 {
			press()
		}
		return nil
	}
	m := move.New(from, to, move.Options{Workers: 4})
	if err := m.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	done := m.Report().Counts[move.Copied]
	if done < n/2 || done >= n {
		t.Fatalf("%d were copied before it was interrupted", done)
	}
	counted(t, m, map[move.Outcome]int64{move.Copied: done})
	if got := int64(to.size(t)); got != done {
		t.Errorf("%d are there, %d were counted", got, done)
	}
	to.create = nil
	run(t, from, to, move.Options{}, map[move.Outcome]int64{move.Same: done, move.Copied: n - done})
}
