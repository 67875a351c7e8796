package memstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/store"
)

// left copies what a process that was killed now would leave, without the last bytes of the
// journal, and returns the copy of the snapshot's name.
func left(t *testing.T, file string, without int64) string {
	t.Helper()
	to := t.TempDir()
	all, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(file), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.Name(), ".journal.") {
			b = b[:int64(len(b))-without]
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(to, filepath.Base(file))
}

// contents returns the data of the live records.
func contents(t *testing.T, s *Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for r, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		all[r.ID] = r.Owner + "|" + string(r.Data) + "|" + r.Expires.Format(time.RFC3339Nano)
	}
	return all
}

// restored returns what a store restores from the file.
func restored(t *testing.T, file string) map[string]string {
	t.Helper()
	s, err := Open(file, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return contents(t, s)
}

// changes does all kinds of changes to a store, and calls after behind each.
func changes(t *testing.T, s *Store, after func()) {
	t.Helper()
	expires := time.Now().Add(time.Hour).UTC().Round(0)
	must := func(v store.Version, err error) store.Version {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		after()
		return v
	}
	for i := range 12 {
		r := store.Record{ID: fmt.Sprintf("%042dA", i), Owner: []string{"", "user:1"}[i%2], Data: bytes.Repeat([]byte(`{"n":1}`), 1+i), Expires: expires}
		if i%5 == 4 {
			r.ID, r.Data = fmt.Sprint("a text ", i), bytes.Repeat([]byte("long"), 20_000) // on the heap
		}
		r.Version = must(s.Create(t.Context(), r))
		switch i % 4 {
		case 0:
			must(0, s.Touch(t.Context(), r.ID, expires.Add(time.Minute)))
			r.Data, r.Owner = []byte("ended"), ""
			must(s.Update(t.Context(), r))
		case 1:
			must(0, s.Delete(t.Context(), r.ID))
		case 2:
			must(0, s.Touch(t.Context(), r.ID, time.Time{}))
		}
		if i == 5 {
			must(0, s.WriteSnapshot(t.Context()))
		}
	}
}

// Whenever the process is killed, what is restored is as it was after the last change.
func TestJournalHasEachChange(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sessions")
	s, err := Open(file, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	changes(t, s, func() {
		t.Helper()
		if got, want := restored(t, left(t, file, 0)), contents(t, s); !maps.Equal(got, want) {
			t.Fatalf("%d are restored, want %d", len(got), len(want))
		}
	})
	// A process that is killed again and again has a journal for each of its lives.
	for file := left(t, file, 0); ; {
		again, err := Open(file, Config{})
		if err != nil {
			t.Fatal(err)
		}
		again.saves.close()
		if all, _ := again.saves.journal.numbers(); len(all) > 4 {
			break
		}
		for id := range contents(t, again) {
			if err := again.Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			break
		}
		want := contents(t, again)
		file = left(t, file, 0)
		if got := restored(t, left(t, file, 0)); !maps.Equal(got, want) {
			t.Fatalf("%d are restored, want %d", len(got), len(want))
		}
	}
}

// The last entry may be there in part, and then the change before it is the last.
func TestJournalThatIsCutOff(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sessions")
	s, err := Open(file, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Create(t.Context(), store.Record{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	before, size := contents(t, s), s.saves.journal.size
	if _, err := s.Create(t.Context(), store.Record{ID: "b", Data: []byte("some data")}); err != nil {
		t.Fatal(err)
	}
	entry := s.saves.journal.size - size
	for without := int64(1); without <= entry; without++ {
		if got := restored(t, left(t, file, without)); !maps.Equal(got, before) {
			t.Fatalf("without the last %d bytes of %d: %v", without, entry, got)
		}
	}
	// A system that crashed may leave zeros.
	file = left(t, file, 3)
	journal := file + ".journal.1"
	b, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		if err := os.WriteFile(journal, append(bytes.Clone(b[:len(b)-int(entry)+3]), make([]byte, n)...), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := restored(t, left(t, file, 0)); !maps.Equal(got, before) {
			t.Fatalf("with %d zeros: %v", n, got)
		}
	}
	// So may the head of a journal that had just begun.
	for n := range len(journalName + snapshotVersion) {
		if err := os.WriteFile(journal, b[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if got := restored(t, left(t, file, 0)); len(got) != 0 {
			t.Fatalf("of %d bytes: %v", n, got)
		}
	}
}

// A journal that has changed in the middle is refused, and one of another program or a newer
// version, too: entries that are not read may have ended sessions.
func TestRefusedJournals(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sessions")
	s, err := Open(file, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 3 {
		if _, err := s.Create(t.Context(), store.Record{ID: fmt.Sprint("session ", i), Data: []byte("some data")}); err != nil {
			t.Fatal(err)
		}
	}
	file = left(t, file, 0)
	journal := file + ".journal.1"
	whole, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	head := len(journalName + snapshotVersion)
	refuse := func(content []byte, want string) {
		t.Helper()
		if err := os.WriteFile(journal, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(file, Config{})
		if err == nil || s != nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), journal) {
			t.Fatalf("Open: %v, want %q", err, want)
		}
		if after, err := os.ReadFile(journal); err != nil || !bytes.Equal(after, content) {
			t.Fatalf("the journal has changed, %v", err)
		}
	}
	for at := head; at < head+(len(whole)-head)*2/3; at++ {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 4
		refuse(flipped, "damaged")
	}
	refuse([]byte("SQLite format 3\x00 and so on"), "not a journal")
	refuse(bytes.Replace(whole, []byte("journal 1\n"), []byte("journal 2\n"), 1), "newer version")
}

// If a change cannot be written, the snapshot goes: a crash must not bring back what the
// change has ended. The next snapshot makes all well again.
func TestChangeThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	file := filepath.Join(t.TempDir(), "sessions")
	s, err := Open(file, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, id := range []string{"ended", "stays", "late"} {
		if _, err := s.Create(t.Context(), store.Record{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.WriteSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.saves.journal.file.Close() // as if the disk were gone
	if err := s.Delete(t.Context(), "ended"); err != nil {
		t.Fatal(err)
	}
	if got := restored(t, left(t, file, 0)); len(got) != 0 {
		t.Errorf("after a crash there are %v", got)
	}
	if !strings.Contains(log.String(), "level=ERROR") || strings.Contains(log.String(), "ended\"") {
		t.Errorf("logged: %q", &log)
	}
	if err := s.WriteSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "late"); err != nil {
		t.Fatal(err)
	}
	if got := restored(t, left(t, file, 0)); len(got) != 1 || got["stays"] == "" {
		t.Errorf("after a snapshot and a crash there are %v", got)
	}

	// A snapshot that cannot be removed either makes the call fail.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(file, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.saves.journal.file.Close()
	before := contents(t, s)
	for range 2 {
		if err := s.Delete(t.Context(), "stays"); err == nil {
			t.Error("Delete returned no error")
		}
		if err := s.Touch(t.Context(), "stays", time.Now().Add(time.Hour)); err == nil {
			t.Error("Touch returned no error")
		}
		if _, err := s.Create(t.Context(), store.Record{ID: "new"}); err == nil {
			t.Error("Create returned no error")
		}
	}
	if got := contents(t, s); !maps.Equal(got, before) || s.Stats().Sessions != 1 {
		t.Errorf("after calls that failed there are %v", got)
	}
	if err := os.RemoveAll(file); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "stays"); err != nil {
		t.Errorf("Delete, when the snapshot could be removed: %v", err)
	}
}

// A session that an entry has kept from expiring is restored, and one that has expired is not.
func TestJournalMovesExpiries(t *testing.T) {
	t.Parallel()
	clock := time.Now()
	file := filepath.Join(t.TempDir(), "sessions")
	c := Config{Now: func() time.Time { return clock }, SweepInterval: -1}
	s, err := Open(file, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, id := range []string{"kept", "expired", "shortened"} {
		if _, err := s.Create(t.Context(), store.Record{ID: id, Expires: clock.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.WriteSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, life := range map[string]time.Duration{"kept": time.Hour, "shortened": time.Second} {
		if err := s.Touch(t.Context(), id, clock.Add(life)); err != nil {
			t.Fatal(err)
		}
	}
	file = left(t, file, 0)
	clock = clock.Add(10 * time.Minute)
	again, err := Open(file, c)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := contents(t, again); len(got) != 1 || got["kept"] == "" {
		t.Errorf("restored: %v", got)
	}
	if stats := again.Stats(); stats.Sessions != 1 || stats.Expired != 0 {
		t.Errorf("%+v", stats)
	}
}

// A journal that has grown large asks for a snapshot, which removes it.
func TestJournalIsBounded(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sessions")
	s, err := Open(file, Config{SnapshotInterval: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	j := s.saves.journal
	j.mu.Lock()
	j.most = 100_000
	j.mu.Unlock()
	r := store.Record{ID: "a", Data: make([]byte, 1000)}
	if r.Version, err = s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for {
		if r.Version, err = s.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(j.name(1)); err != nil {
			break // there is no bound on when, but the test's own
		}
	}
	s.saves.writing.Lock() // another snapshot may have begun, which renames files while left copies them
	defer s.saves.writing.Unlock()
	if got := restored(t, left(t, file, 0)); len(got) != 1 {
		t.Errorf("restored: %v", got)
	}
}

// With a negative interval nothing is left beside a process that runs.
func TestNoJournalWithoutSnapshots(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sessions")
	s, err := Open(file, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	changes(t, s, func() {})
	want := contents(t, s)
	file = left(t, file, 0)
	s, err = Open(file, Config{SnapshotInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := contents(t, s); !maps.Equal(got, want) {
		t.Errorf("restored %d, want %d", len(got), len(want))
	}
	if all, err := os.ReadDir(filepath.Dir(file)); err != nil || len(all) != 0 {
		t.Errorf("in the folder: %v, %v", all, err)
	}
}

// Whatever a journal has, Open restores it or returns an error.
func FuzzJournal(f *testing.F) {
	file := filepath.Join(f.TempDir(), "sessions")
	s, err := Open(file, Config{})
	if err != nil {
		f.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if _, err := s.Create(f.Context(), store.Record{ID: id, Owner: "user:1", Data: []byte("some data"), Expires: time.Now().Add(time.Hour)}); err != nil {
			f.Fatal(err)
		}
	}
	err = errors.Join(s.Touch(f.Context(), "a", time.Time{}), s.Delete(f.Context(), "b"))
	whole, readErr := os.ReadFile(file + ".journal.1")
	if err := errors.Join(err, readErr, s.Close()); err != nil {
		f.Fatal(err)
	}
	head := len(journalName + snapshotVersion)
	// The contents of the entries, for the fuzzer does not find checksums.
	for b := whole[head:]; len(b) > 0; {
		n := entryHeader + int(binary.LittleEndian.Uint32(b))
		f.Add(whole, b[entryHeader:n])
		b = b[n:]
	}
	f.Fuzz(func(t *testing.T, content, entry []byte) {
		j := &journal{}
		b := append(j.begin(putEntry)[:entryHeader], entry...)
		content = append(bytes.Clone(content), finished(b)...)
		file := filepath.Join(t.TempDir(), "sessions")
		if err := os.WriteFile(file+".journal.1", content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(file, Config{SweepInterval: -1, MaxSessions: 10})
		if err != nil {
			return
		}
		before := contents(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if after := restored(t, file); !maps.Equal(before, after) {
			t.Errorf("restored %v, and then %v", before, after)
		}
	})
}
