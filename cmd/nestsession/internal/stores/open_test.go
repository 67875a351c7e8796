package stores_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/store"
)

func target(t *testing.T, url string) *storeurl.Target {
	t.Helper()
	parsed, err := storeurl.Parse(url, false)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// silent is a server that accepts connections and never answers.
func silent(t *testing.T) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return ln.Addr().String()
}

// forms are URLs of servers at HOST.
var forms = []string{
	"postgres://kim:hunter2@HOST/app?sslmode=disable", "mysql://kim:hunter2@HOST/app", "redis://:hunter2@HOST",
	"redis+cluster://:hunter2@HOST", "redis+sentinel://:hunter2@HOST?master=main",
}

func TestAServerThatHangsIsAnErrorInTime(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(strings.Split(form, ":")[0], func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			_, err := stores.Open(t.Context(), target(t, strings.Replace(form, "HOST", silent(t), 1)), stores.Options{Timeout: 200 * time.Millisecond})
			if err == nil || !strings.Contains(err.Error(), "did not answer within 200ms: is it running") && !strings.Contains(err.Error(), "cannot be reached") {
				t.Errorf("%v", err)
			}
			if took := time.Since(begun); took > 2*time.Minute {
				t.Errorf("after %v", took)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

func TestCanceledWhileItOpens(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(strings.Split(form, ":")[0], func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			_, err := stores.Open(ctx, target(t, strings.Replace(form, "HOST", silent(t), 1)), stores.Options{})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	for _, form := range forms {
		_, err := stores.Open(t.Context(), target(t, strings.Replace(form, "HOST", address, 1)), stores.Options{})
		if err == nil || !strings.Contains(err.Error(), "the server cannot be reached: connection refused: is it running, and are the host and the port right?") ||
			!strings.Contains(err.Error(), address) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", form, err)
		}
	}
}

func TestFileIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	if _, err := stores.Open(t.Context(), target(t, "sqlite:"+path), stores.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	s, err := stores.Open(t.Context(), target(t, "sqlite:"+path), stores.Options{Make: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Create(t.Context(), store.Record{ID: "id", Data: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %04o", name, mode)
		}
	}
	if n, err := s.Estimate(t.Context()); n != 1 || err != nil {
		t.Errorf("Estimate: %d, %v", n, err)
	}
}

// Several processes may have the file open, and write at the same time.
func TestAFileIsSharedByManyWriters(t *testing.T) {
	t.Parallel()
	path := "sqlite:" + filepath.Join(t.TempDir(), "s.db")
	const openers, each = 4, 50
	failed := make(chan error)
	for o := range openers {
		go func() {
			s, err := stores.Open(t.Context(), target(t, path), stores.Options{Make: true, Timeout: 5 * time.Minute})
			for i := 0; err == nil && i < each; i++ {
				_, err = s.Create(t.Context(), store.Record{ID: strings.Repeat("x", o*each+i+1), Data: []byte("{}")})
			}
			if s != nil {
				err = errors.Join(err, s.Close())
			}
			failed <- err
		}()
	}
	for range openers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	s, err := stores.Open(t.Context(), target(t, path), stores.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n, err := s.Estimate(t.Context()); n != openers*each || err != nil {
		t.Errorf("%d are there, %v", n, err)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	s, err := stores.Open(t.Context(), target(t, "memory:"), stores.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := store.As[store.Lister](s); !ok {
		t.Error("what the store can do is not found through Opened")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// The sessions in memory survive a restart if the URL names a file for them.
func TestMemoryWithASnapshot(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sessions")
	to := target(t, "memory:?snapshot="+file)
	for restart := range 2 {
		s, err := stores.Open(t.Context(), to, stores.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if restart == 0 {
			_, err = s.Create(t.Context(), store.Record{ID: "a"})
		} else {
			_, err = s.Load(t.Context(), "a")
		}
		if err := errors.Join(err, s.Close()); err != nil {
			t.Error(err)
		}
	}
	if err := os.WriteFile(file, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stores.Open(t.Context(), to, stores.Options{}); err == nil || !strings.Contains(err.Error(), "not a snapshot") {
		t.Errorf("a file that is not a snapshot: %v", err)
	}
}
