package memstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// filled returns the file of a closed store, and what it kept.
func filled(t *testing.T, n int) (file string, kept map[string]store.Record) {
	t.Helper()
	file, kept = filepath.Join(t.TempDir(), "sessions"), map[string]store.Record{}
	s := opened(t, file, memstore.Config{})
	for i := range n {
		r := store.Record{
			ID: fmt.Sprintf("%042dA", i), Owner: []string{"", "user:1", "user:2"}[i%3],
			Data: bytes.Repeat(fmt.Appendf(nil, `{"n":%d}`, i), 1+i%7*i%300), Expires: time.Now().Add(time.Hour + time.Duration(i)),
		}
		switch i % 10 {
		case 0:
			r.ID = fmt.Sprint("a text ", i)
		case 1:
			r.Expires = time.Time{}
		case 2:
			r.Expires = time.Date(9999, 1, 1, 0, 0, 0, i, time.UTC)
		}
		r.Version, _ = s.Create(t.Context(), r)
		if i%4 == 0 {
			r.Version, _ = s.Update(t.Context(), r)
		}
		kept[r.ID] = r
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return file, kept
}

func opened(t *testing.T, file string, c memstore.Config) *memstore.Store {
	t.Helper()
	s, err := memstore.Open(file, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A restart ends nobody's session: each is as it was, and may be updated by the version that
// it had.
func TestRestart(t *testing.T) {
	t.Parallel()
	file, kept := filled(t, 2000)
	s := opened(t, file, memstore.Config{})
	if n := s.Stats().Sessions; n != int64(len(kept)) {
		t.Errorf("%d sessions, want %d", n, len(kept))
	}
	used := map[store.Version]bool{}
	for id, want := range kept {
		got, err := s.Load(t.Context(), id)
		if err != nil || got.Owner != want.Owner || !bytes.Equal(got.Data, want.Data) || !got.Expires.Equal(want.Expires) || got.Version != want.Version {
			t.Fatalf("Load of %s: %v, %v, want %v", id, got, err, want)
		}
		used[want.Version] = true
	}
	for id, r := range kept {
		v, err := s.Update(t.Context(), r)
		if err != nil || used[v] {
			t.Fatalf("Update of %s: version %d, used before: %v, %v", id, v, used[v], err)
		}
		used[v] = true
	}
	n := 0
	for r, err := range s.List(t.Context(), "user:1") {
		if err != nil || r.Owner != "user:1" {
			t.Fatal(r, err)
		}
		n++
	}
	if want := 667; n != want {
		t.Errorf("%d sessions of an owner, want %d", n, want)
	}
}

// The file is for its owner's eyes, and there is no other beside it.
func TestSnapshotIsPrivate(t *testing.T) {
	t.Parallel()
	file, _ := filled(t, 10)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	all, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(all) != 1 {
		t.Errorf("in the folder: %v, %v", all, err)
	}
}

// A file that is not whole, or not ours, is refused with the reason, stays as it was, and
// none of its sessions is used.
func TestRefusedSnapshots(t *testing.T) {
	t.Parallel()
	file, _ := filled(t, 300)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		content []byte
		want    string
	}{
		"another file": {[]byte("SQLite format 3\x00 and so on"), "not a snapshot"},
		"empty":        {nil, "not a snapshot"},
		"newer":        {bytes.Replace(whole, []byte("snapshot 1\n"), []byte("snapshot 2\n"), 1), "newer version"},
		"more":         {append(bytes.Clone(whole), 0), "damaged"},
		"no records":   {whole[:len("nest session snapshot 1\n")], "damaged"},
	}
	for i := 1; i < 40; i++ {
		at := len("nest session snapshot 1\n") + (len(whole)-30)*i/40
		flipped := bytes.Clone(whole)
		flipped[at] ^= 4
		tests[fmt.Sprint("changed at ", at)] = struct {
			content []byte
			want    string
		}{flipped, "damaged"}
		tests[fmt.Sprint("ends at ", at)] = struct {
			content []byte
			want    string
		}{whole[:at], "damaged"}
	}
	for name, test := range tests {
		path := filepath.Join(t.TempDir(), "sessions")
		if err := os.WriteFile(path, test.content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := memstore.Open(path, memstore.Config{})
		if err == nil || s != nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, test.content) {
			t.Errorf("%s: the file has changed, %v", name, err)
		}
	}
}

// Sessions that have expired meanwhile are left out.
func TestExpiredAreNotRestored(t *testing.T) {
	t.Parallel()
	clock := newHand()
	file := filepath.Join(t.TempDir(), "sessions")
	s := opened(t, file, memstore.Config{Now: clock.now})
	for id, life := range map[string]time.Duration{"over": time.Minute, "soon": time.Hour, "live": 9 * time.Hour} {
		if _, err := s.Create(t.Context(), store.Record{ID: id, Expires: clock.now().Add(life)}); err != nil {
			t.Fatal(err)
		}
	}
	clock.advance(30 * time.Minute)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	f := &fixture{Store: opened(t, file, memstore.Config{Now: clock.now}), t: t, clock: clock}
	f.holds("live")
}

// The order of use survives, so that the right ones are evicted if the new store is smaller.
func TestRestoreKeepsTheOrderOfUse(t *testing.T) {
	t.Parallel()
	clock := newHand()
	file := filepath.Join(t.TempDir(), "sessions")
	f := &fixture{Store: opened(t, file, memstore.Config{Now: clock.now}), t: t, clock: clock}
	for _, id := range []string{"a", "b", "c", "d"} {
		f.create(id)
	}
	if err := f.load("a"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := memstore.Open(file, memstore.Config{Now: clock.now, MaxSessions: 2, AtLimit: memstore.Refuse}); !errors.Is(err, store.ErrFull) {
		t.Errorf("Open of a store that refuses: %v", err)
	}
	f.Store = opened(t, file, memstore.Config{Now: clock.now, MaxSessions: 2})
	f.holds("a", "d")
}

// A store that was not closed left what it had written by its timer, and one whose interval is
// negative left nothing.
func TestCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, interval := range []time.Duration{0, -1} {
			file := filepath.Join(t.TempDir(), "sessions")
			c := memstore.Config{SnapshotInterval: interval}
			s := opened(t, file, c)
			create := func(id string) {
				if _, err := s.Create(t.Context(), store.Record{ID: id}); err != nil {
					t.Fatal(err)
				}
			}
			create("a")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = opened(t, file, c)
			create("b")
			time.Sleep(memstore.DefaultSnapshotInterval + time.Second) // fake time
			synctest.Wait()
			create("c")
			// This is the crash: the file as it is now.
			left, err := os.ReadFile(file)
			if interval < 0 {
				if !errors.Is(err, os.ErrNotExist) {
					t.Errorf("after a crash there is a file: %v", err)
				}
				continue
			}
			other := filepath.Join(t.TempDir(), "sessions")
			if err := errors.Join(err, os.WriteFile(other, left, 0o600)); err != nil {
				t.Fatal(err)
			}
			f := &fixture{Store: opened(t, other, c), t: t}
			f.holds("a", "b")
		}
	})
}

// A snapshot that cannot be written is reported, and the file stays.
func TestSnapshotThatFails(t *testing.T) {
	t.Parallel()
	file, kept := filled(t, 10)
	before, _ := os.ReadFile(file)
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, file, memstore.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		// A folder stands where the temporary file should be.
		if err := os.MkdirAll(filepath.Join(file+".tmp", "folder"), 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(memstore.DefaultSnapshotInterval + time.Second) // fake time
		synctest.Wait()
		if err := s.WriteSnapshot(t.Context()); err == nil {
			t.Error("WriteSnapshot returned no error")
		}
		if err := s.Close(); err == nil {
			t.Error("Close returned no error")
		}
	})
	if !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("logged: %q", &log)
	}
	for id := range kept {
		if strings.Contains(log.String(), id) {
			t.Error("an id is in the log")
		}
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed: %v", err)
	}
}

func TestWriteSnapshot(t *testing.T) {
	t.Parallel()
	s := memstore.New(memstore.Config{})
	if err := s.WriteSnapshot(t.Context()); err == nil {
		t.Error("a store without a file: no error")
	}
	file := filepath.Join(t.TempDir(), "sessions")
	f := &fixture{Store: opened(t, file, memstore.Config{}), t: t, clock: newHand()}
	if _, err := f.Create(t.Context(), store.Record{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "WriteSnapshot", f.WriteSnapshot(ended), context.Canceled)
	g := &fixture{Store: opened(t, file, memstore.Config{}), t: t}
	g.holds("a")
	g.Close()
	wantErr(t, "WriteSnapshot after Close", g.WriteSnapshot(t.Context()), store.ErrClosed)
}

// Writers go on while a snapshot is written, and what lives throughout is in it.
func TestSnapshotWhileOthersComeAndGo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sessions")
	s := opened(t, file, memstore.Config{MaxSessions: 10_000})
	ctx, stop := context.WithCancel(t.Context())
	for i := range 500 {
		if _, err := s.Create(ctx, store.Record{ID: fmt.Sprint("steady", i)}); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			id := fmt.Sprint("passing", i%300)
			_ = s.Delete(ctx, id)
			_, _ = s.Create(ctx, store.Record{ID: id, Data: make([]byte, i%5000)})
		}
	}()
	for range 5 {
		if err := s.WriteSnapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(t.TempDir(), "copied")
		content, err := os.ReadFile(file)
		if err := errors.Join(err, os.WriteFile(copied, content, 0o600)); err != nil {
			t.Fatal(err)
		}
		got := opened(t, copied, memstore.Config{})
		for i := range 500 {
			if _, err := got.Load(t.Context(), fmt.Sprint("steady", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	<-done
}
