package move_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/move"
	"github.com/nestsession/session/store"
)

// remembered is a file that several runs share.
type remembered string

func remember(t *testing.T) remembered {
	t.Helper()
	return remembered(filepath.Join(t.TempDir(), "moves", "ledger"))
}

// run copies as one process does.
func (r remembered) run(t *testing.T, from, to store.Store, now func() time.Time, want map[move.Outcome]int64) {
	t.Helper()
	ledger, err := move.ReadLedger(string(r), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := ledger.Begin(); err != nil {
		t.Fatal(err)
	}
	run(t, from, to, move.Options{Ledger: ledger, Now: now}, want)
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
}

// A session that was ended at the destination stays ended, however often the copy runs.
func TestSessionsEndedAtTheDestinationStayEnded(t *testing.T) {
	t.Parallel()
	from, to, ledger := newPlace(t), newPlace(t), remember(t)
	from.put(t, "kept", "", saved("ada", 1), soon)
	from.put(t, "ended", "", saved("bob", 1), soon)
	from.put(t, "lasting", "", saved("cid", 1), time.Time{})
	ledger.run(t, from, to, nil, map[move.Outcome]int64{move.Copied: 3})
	for _, id := range []string{"ended", "lasting"} {
		if err := to.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	from.put(t, "late", "", saved("dan", 2), soon)
	ledger.run(t, from, to, nil, map[move.Outcome]int64{move.Same: 1, move.EndedThere: 2, move.Copied: 1})
	ledger.run(t, from, to, nil, map[move.Outcome]int64{move.Same: 2, move.EndedThere: 2})
	to.is(t, "late", "", saved("dan", 2), soon)
	to.isNot(t, "ended")
	to.isNot(t, "lasting")
}

// A session that the destination had before the first copy, and that is ended later, stays ended
// too.
func TestOtherSessionsOfTheDestinationStayEnded(t *testing.T) {
	t.Parallel()
	for name, there := range map[string]string{"the same": saved("ada", 1), "newer": saved("ada", 2), "not comparable": "text"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to, ledger := newPlace(t), newPlace(t), remember(t)
			from.put(t, "a", "", saved("ada", 1), soon)
			to.put(t, "a", "", there, soon)
			why := map[string]move.Outcome{"the same": move.Same, "newer": move.Newer, "not comparable": move.Unclear}[name]
			ledger.run(t, from, to, nil, map[move.Outcome]int64{why: 1})
			if err := to.Delete(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			ledger.run(t, from, to, nil, map[move.Outcome]int64{move.EndedThere: 1})
		})
	}
}

// The record that remains when a session ends counts as newer than any session.
func TestAnEndIsNewerThanTheSession(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	from.put(t, "a", "", saved("ada", 9), soon)
	end := `{"cookie":{"originalMaxAge":null},"__nestsession":{"ended":true}}`
	to.put(t, "a", "", end, soon)
	run(t, from, to, move.Options{}, map[move.Outcome]int64{move.EndedThere: 1})
	to.is(t, "a", "", end, soon)
}

// A session that was used at the source after the first copy outlives that copy, and is copied
// again.
func TestACopyThatExpiredIsBroughtAgain(t *testing.T) {
	t.Parallel()
	from, to, ledger := newPlace(t), newPlace(t), remember(t)
	from.put(t, "a", "", saved("ada", 1), soon)
	ledger.run(t, from, to, nil, map[move.Outcome]int64{move.Copied: 1})
	if err := to.Delete(t.Context(), "a"); err != nil { // as its expiry shows
		t.Fatal(err)
	}
	later := soon.Add(time.Hour)
	if err := from.Touch(t.Context(), "a", later); err != nil {
		t.Fatal(err)
	}
	ledger.run(t, from, to, func() time.Time { return soon.Add(time.Minute) }, map[move.Outcome]int64{move.Copied: 1})
	to.is(t, "a", "", saved("ada", 1), later)
}

// A run that ends in a crash of the machine loses at most the entry that it was writing.
func TestALedgerThatWasCutIsRead(t *testing.T) {
	t.Parallel()
	from, to, ledger := newPlace(t), newPlace(t), remember(t)
	from.put(t, "a", "", saved("ada", 1), soon)
	from.put(t, "b", "", saved("bob", 1), soon)
	ledger.run(t, from, to, nil, map[move.Outcome]int64{move.Copied: 2})
	info, err := os.Stat(string(ledger))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v; want the mode 0600", info.Mode(), err)
	}
	if err := os.Truncate(string(ledger), info.Size()-5); err != nil {
		t.Fatal(err)
	}
	ledger.run(t, from, to, nil, map[move.Outcome]int64{move.Same: 2})
	read, err := move.ReadLedger(string(ledger), false)
	if err != nil || read.Live(time.Now()) != 2 || !read.Found() {
		t.Errorf("it says %d, %v; want 2", read.Live(time.Now()), err)
	}
}

// If the ledger cannot be written, the copy ends: an unrecorded session could be brought back.
func TestALedgerThatCannotBeWrittenEndsTheCopy(t *testing.T) {
	t.Parallel()
	from, to, path := newPlace(t), newPlace(t), remember(t)
	from.put(t, "a", "", saved("ada", 1), soon)
	ledger, err := move.ReadLedger(string(path), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ledger.Begin(), ledger.Close()); err != nil {
		t.Fatal(err)
	}
	if err := move.New(from, to, move.Options{Ledger: ledger}).Run(t.Context()); !contains(err, "the ledger of copied sessions") {
		t.Errorf("it ended with %v", err)
	}
}

// The file does not reveal which sessions exist, and another file is refused.
func TestALedgerHoldsNoKeys(t *testing.T) {
	t.Parallel()
	from, to, ledger := newPlace(t), newPlace(t), remember(t)
	from.put(t, "the-id-of-a-session", "user:1", saved("ada", 1), soon)
	ledger.run(t, from, to, nil, map[move.Outcome]int64{move.Copied: 1})
	text, err := os.ReadFile(string(ledger))
	if err != nil || strings.Contains(string(text), "the-id") || !slices.Contains(strings.Split(string(text), "\n"), "nestsession ledger 1") {
		t.Errorf("it is %q, %v", text, err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("something that somebody wants to keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := move.ReadLedger(other, false); !contains(err, "another kind of file") {
		t.Errorf("another file: %v", err)
	}
}
