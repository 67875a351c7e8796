package memstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// childFile names the file for the process that TestKilled kills.
const childFile, childRound = "MEMSTORE_TEST_FILE", "MEMSTORE_TEST_ROUND"

// A process that is killed has lost no change that a call has acknowledged: no session is live
// that was ended, under a store that writes snapshots meanwhile, also when it is killed again.
func TestKilled(t *testing.T) {
	if file := os.Getenv(childFile); file != "" {
		writeUntilKilled(file, os.Getenv(childRound))
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sessions")
	said := map[string]string{} // the last word about each session
	for round, lines := range []int{50, 3000, 1, 8000} {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command(self, "-test.run=^TestKilled$")
		c.Env = append(os.Environ(), childFile+"="+file, fmt.Sprint(childRound, "=", round))
		out, err := c.StdoutPipe()
		if err := errors.Join(err, c.Start()); err != nil {
			t.Fatal(err)
		}
		n := 0
		for in := bufio.NewScanner(out); in.Scan(); n++ {
			word, id, ok := strings.Cut(in.Text(), " ")
			if !ok || word == "failed" {
				t.Fatal(in.Text())
			}
			said[id] = word
			if n == lines {
				_ = c.Process.Kill()
			}
		}
		if _ = c.Wait(); n < lines {
			t.Fatalf("the process ended by itself after %d lines", n)
		}
		checkLeft(t, file, said)
	}
}

// checkLeft compares what is restored of a copy of the files with what was said.
func checkLeft(t *testing.T, file string, said map[string]string) {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Dir(file))); err != nil {
		t.Fatal(err)
	}
	s := opened(t, filepath.Join(folder, filepath.Base(file)), memstore.Config{})
	defer s.Close()
	for id, word := range said {
		r, err := s.Load(t.Context(), id)
		switch {
		case word == "live" && (err != nil || string(r.Data) != "live"):
			t.Fatalf("%s was live, and is %q, %v", id, r.Data, err)
		case word == "ended" && !errors.Is(err, store.ErrNotFound):
			t.Fatalf("%s was deleted, and is %q, %v", id, r.Data, err)
		case word == "over" && (err != nil || string(r.Data) != "over"):
			t.Fatalf("%s was over, and is %q, %v", id, r.Data, err)
		}
	}
}

// writeUntilKilled creates, ends and renews sessions, and says so when the call has returned.
// Before each end it says "ending", as the process may be killed before it can say more.
func writeUntilKilled(file, round string) {
	s, err := memstore.Open(file, memstore.Config{})
	say := func(word, id string) { _, _ = fmt.Println(word, id) }
	check := func(err error) {
		if err != nil {
			say("failed", err.Error())
			os.Exit(1)
		}
	}
	check(err)
	ctx := context.Background()
	go func() {
		for range time.Tick(time.Millisecond) {
			check(s.WriteSnapshot(ctx))
		}
	}()
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", round, w, i)
				r := store.Record{ID: id, Data: []byte("live"), Expires: time.Now().Add(time.Hour)}
				v, err := s.Create(ctx, r)
				r.Version = v
				check(err)
				say("live", id)
				switch i % 3 {
				case 0:
					say("ending", id)
					check(s.Delete(ctx, id))
					say("ended", id)
				case 1:
					say("ending", id)
					r.Data = []byte("over")
					_, err := s.Update(ctx, r)
					check(err)
					say("over", id)
				}
			}
		})
	}
	writers.Wait()
}
