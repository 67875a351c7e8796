package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// begin is when the events of these tests happen.
var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, cfg Config) *Log {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes, cfg.MaxFiles = 1<<20, 4
	}
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closed(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// linesIn returns the lines of a file, and fails unless each is whole.
func linesIn(t *testing.T, path string) (lines []Line) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var l Line
		if err := json.Unmarshal([]byte(line), &l); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%s: not a whole line: %q: %v", path, line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

func TestManyGoroutinesWriteWholeLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	// Two processes have the file, as two logs here.
	logs := []*Log{open(t, Config{Path: path, Node: "a"}), open(t, Config{Path: path, Node: "b"})}
	var all sync.WaitGroup
	const goroutines, each = 16, 100
	for g := range goroutines {
		all.Go(func() {
			for i := range each {
				logs[g%2].OnEvent(t.Context(), session.Event{Kind: session.EventConflict, Time: begin, Digest: fmt.Sprintf("%d-%d", g, i), Owner: strings.Repeat("o", 100)})
			}
		})
	}
	all.Wait()
	closed(t, logs[0])
	closed(t, logs[1])
	seen := map[string]bool{}
	for _, l := range linesIn(t, path) {
		seen[l.Session] = true
	}
	if len(seen) != goroutines*each {
		t.Errorf("%d events are in the log, want %d", len(seen), goroutines*each)
	}
}

func TestALineHasWhatTheEventHas(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := open(t, Config{Out: &out, Node: "login-1"})
	ctx := WithOrigin(t.Context(), Origin{From: netip.MustParseAddr("203.0.113.9"), Request: "POST /login"})
	l.OnEvent(ctx, session.Event{Kind: session.EventLoggedIn, Time: begin, Digest: "new", Former: "old", Owner: "user:1"})
	l.OnEvent(t.Context(), session.Event{Kind: session.EventLoadFailed, Time: begin, Reason: session.ReasonClientLeft, Err: errors.New("two\nlines")})
	closed(t, l)
	const want = `{"time":"2026-03-01T12:00:00Z","node":"login-1","kind":"logged in","session":"new","former":"old","owner":"user:1","from":"203.0.113.9","request":"POST /login"}
{"time":"2026-03-01T12:00:00Z","node":"login-1","kind":"load failed","reason":"client left","error":"two\nlines"}
`
	if out.String() != want {
		t.Errorf("the log is\n%swant\n%s", out.String(), want)
	}
}

func TestFilesAreRotatedAndBounded(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "log")
	// These are no former files, or are beyond the bound.
	for _, name := range []string{"log.01", "log.txt", "log.7"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const maxBytes, maxFiles, events = 1000, 3, 100
	for i := range events {
		l := open(t, Config{Path: path, MaxBytes: maxBytes, MaxFiles: maxFiles})
		l.OnEvent(t.Context(), session.Event{Kind: session.EventConflict, Time: begin, Digest: fmt.Sprint("event-", i)})
		closed(t, l)
	}
	var names []string
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Size() > maxBytes || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, mode %o, %v", e.Name(), info.Size(), info.Mode().Perm(), err)
		}
	}
	if got := strings.Join(names, " "); got != "log log.01 log.1 log.2 log.txt" {
		t.Errorf("the folder has %s", got)
	}
	// The newest events are there, without a gap.
	var r Record
	if err := r.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	for i, l := range r.lines {
		if want := fmt.Sprint("event-", events-r.Len()+i); l.Session != want {
			t.Errorf("line %d is %s, want %s", i, l.Session, want)
		}
	}
	if r.Len() < 2*maxBytes/100 {
		t.Errorf("only %d events are left", r.Len())
	}
}

// full is a disk that has room for some bytes.
type full struct {
	mu   sync.Mutex
	room int
	text bytes.Buffer
}

func (f *full) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(b), f.room)
	f.room -= n
	f.text.Write(b[:n])
	if n < len(b) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func (f *full) give(room int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room = room
}

// acknowledged sends the result of each write.
type acknowledged struct {
	io.Writer
	done chan error
}

func (a acknowledged) Write(b []byte) (int, error) {
	n, err := a.Writer.Write(b)
	a.done <- err
	return n, err
}

func TestAFullDiskIsLoggedOnceAndTheGapIsInTheLog(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	disk := &full{room: 250}
	out := acknowledged{disk, make(chan error)}
	l := open(t, Config{Out: out, Node: "n", Logger: slog.New(slog.NewTextHandler(&said, nil))})
	write := func() error {
		l.OnEvent(t.Context(), session.Event{Kind: session.EventConflict, Time: begin, Digest: "some"})
		return <-out.done
	}
	for i := range 20 {
		if err := write(); (err == nil) != (i < 3) {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	disk.give(1 << 20)
	for range 5 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, l)
	if n := strings.Count(said.String(), "events cannot be written"); n != 1 {
		t.Errorf("it was said %d times:\n%s", n, said.String())
	}
	if !strings.Contains(said.String(), "events are written again") {
		t.Errorf("the recovery was not said:\n%s", said.String())
	}
	var r Record
	if err := r.Read(&disk.text); err != nil {
		t.Fatal(err)
	}
	present, lost := 0, int64(0)
	for _, line := range r.lines {
		if line.Kind == KindLost {
			lost += line.Lost
		} else {
			present++
		}
	}
	if r.Skipped > 1 || int64(present)+lost != 25 || lost == 0 {
		t.Errorf("%d events are there, %d are called lost, want 25 together; %d lines are broken", present, lost, r.Skipped)
	}
}

// hung is a disk that does not answer until it is freed.
type hung struct{ free chan struct{} }

func (h hung) Write(b []byte) (int, error) { <-h.free; return len(b), nil }

func TestADiskThatHangsHoldsNoRequestUp(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	disk := hung{make(chan struct{})}
	l := open(t, Config{Out: disk, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	for range 3 * maxQueue {
		l.OnEvent(t.Context(), session.Event{Kind: session.EventConflict, Time: begin}) // the test hangs if this does
	}
	if l.lost.Load() == 0 || !strings.Contains(said.String(), "too slow for the events") {
		t.Errorf("lost %d, and said %q", l.lost.Load(), said.String())
	}
	close(disk.free)
	closed(t, l)
}

func TestAFileThatWasMovedOrRemovedIsMadeAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	on := &file{path: path, maxBytes: 1 << 20, maxFiles: 4}
	defer on.close()
	out := acknowledged{on, make(chan error)}
	l := open(t, Config{Out: out})
	write := func(digest string) {
		t.Helper()
		l.OnEvent(t.Context(), session.Event{Kind: session.EventConflict, Time: begin, Digest: digest})
		if err := <-out.done; err != nil {
			t.Fatal(err)
		}
		if lines := linesIn(t, path); lines[len(lines)-1].Session != digest {
			t.Errorf("%s is not in the file", digest)
		}
	}
	write("first")
	if err := os.Rename(path, path+".1"); err != nil { // as logrotate does
		t.Fatal(err)
	}
	write("second")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write("third")
	closed(t, l)
	if lines := linesIn(t, path); len(lines) != 1 {
		t.Errorf("the file has %d lines, want the last", len(lines))
	}
}

func TestAHalfLineOfACrashSpoilsNoOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(`{"time":"2026-03-01T12:00:00Z","ki`), 0o640); err != nil {
		t.Fatal(err)
	}
	l := open(t, Config{Path: path})
	l.OnEvent(t.Context(), session.Event{Kind: session.EventConflict, Time: begin, Digest: "whole"})
	closed(t, l)
	var r Record
	if err := r.ReadFile(path); err != nil || r.Len() != 1 || r.Skipped != 1 {
		t.Errorf("%d events, %d broken lines, %v", r.Len(), r.Skipped, err)
	}
}

func TestRefusedCookiesOfStrangersDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := open(t, Config{Out: &out})
	for i := range 1000 {
		at := begin.Add(time.Duration(i) * 100 * time.Millisecond) // 600 a minute
		l.OnEvent(t.Context(), session.Event{Kind: session.EventRejected, Reason: session.ReasonSignature, Time: at})
		l.OnEvent(t.Context(), session.Event{Kind: session.EventRejected, Reason: session.ReasonUnknown, Time: at, Digest: "aaaa"})
	}
	closed(t, l)
	if n := strings.Count(out.String(), string(session.ReasonSignature)); n != 2*maxStrangers {
		t.Errorf("%d are in the log of two minutes, want %d", n, 2*maxStrangers)
	}
	if n := strings.Count(out.String(), string(session.ReasonUnknown)); n != 1000 {
		t.Errorf("%d of a session are in it, want all", n)
	}
}

func TestOpenSaysWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	if _, err := Open(Config{Path: filepath.Join(t.TempDir(), "no", "folder")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it says %v", err)
	}
}

func BenchmarkOnEvent(b *testing.B) {
	l, err := Open(Config{Out: io.Discard, Node: "n", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	ctx := WithOrigin(context.Background(), Origin{From: netip.MustParseAddr("203.0.113.9"), Request: "POST /login"})
	e := session.Event{Kind: session.EventLoggedIn, Time: begin, Digest: "7oPsdf0sdf80sdf8", Former: "sdf8sdf0sdf", Owner: "user:1"}
	b.ReportAllocs()
	for b.Loop() {
		l.OnEvent(ctx, e)
	}
}
