package move_test

import (
	"errors"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/move"
)

// The records that remain at the source for a while when a session ends, or when another login
// replaces it.
const (
	tombstone = `{"cookie":{"originalMaxAge":null},"__nestsession":{"ended":true}}`
	loggedIn  = `{"cookie":{"originalMaxAge":null},"__nestsession":{"successor":"next","until":30000,"login":true,"mac":"x"}}`
)

// Such a record is no session: it is neither copied nor counted, and it ends what an earlier run
// has copied.
func TestSessionsThatEndedAtTheSourceEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{"a logout": tombstone, "another login": loggedIn} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newPlace(t), newPlace(t)
			from.put(t, "copied", "", end, soon)
			from.put(t, "new", "", end, soon)
			from.put(t, "ended here too", "", end, soon)
			from.put(t, "renewed here", "", end, soon)
			from.put(t, "lives", "", saved("eve", 1), soon)
			to.put(t, "copied", "user:1", saved("ada", 9), soon)
			to.put(t, "ended here too", "", tombstone, soon)
			to.put(t, "renewed here", "", pointer, soon)
			run(t, from, to, move.Options{}, map[move.Outcome]int64{move.Copied: 1, move.Ended: 1})
			to.isNot(t, "copied")
			to.isNot(t, "new")
			to.is(t, "ended here too", "", tombstone, soon)
			to.is(t, "renewed here", "", pointer, soon)
			from.is(t, "copied", "", end, soon)
		})
	}
}

func TestSessionsThatEndedAtTheSourceEndUnderTheirHash(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	from.put(t, "plain", "", tombstone, soon)
	to.put(t, session.RecordID("app", "plain"), "", saved("ada", 9), soon)
	run(t, from, to, move.Options{HashIDs: true, Scope: "app"}, map[move.Outcome]int64{move.Ended: 1})
	to.isNot(t, session.RecordID("app", "plain"))
}

// A session that has ended at the destination is not reported as ended again.
func TestEndMissingCountsNoEnds(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	from.put(t, "lives", "", saved("eve", 1), soon)
	to.put(t, "ended", "", tombstone, soon)
	m := move.New(from, to, move.Options{})
	if err := errors.Join(m.Run(t.Context()), m.EndMissing(t.Context())); err != nil {
		t.Fatal(err)
	}
	counted(t, m, map[move.Outcome]int64{move.Copied: 1})
	to.is(t, "ended", "", tombstone, soon)
}
