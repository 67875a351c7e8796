package users_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

var cheap = passwords.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// counter counts the hashes, which take most of the time.
type counter struct {
	*passwords.Hasher
	hashes, verifications atomic.Int64
}

func (c *counter) Hash(ctx context.Context, password string) (string, error) {
	c.hashes.Add(1)
	return c.Hasher.Hash(ctx, password)
}

func (c *counter) Verify(ctx context.Context, password, phc string) (bool, bool, error) {
	c.verifications.Add(1)
	return c.Hasher.Verify(ctx, password, phc)
}

func newCounter(t *testing.T, p passwords.Params) *counter {
	t.Helper()
	h, err := passwords.NewHasher(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &counter{Hasher: h}
}

func open(t *testing.T, path string, h users.Hasher) *users.Store {
	t.Helper()
	return place{path: path}.mustOpen(t, h)
}

// setup returns a store with the account kim.
func setup(t *testing.T, at place) (*users.Store, *counter, users.Login) {
	t.Helper()
	c := newCounter(t, cheap)
	s := at.mustOpen(t, c)
	l, err := s.Register(t.Context(), "kim", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	c.hashes.Store(0)
	return s, c, l
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	everywhere(t, testAuthenticate)
}

func testAuthenticate(t *testing.T, at place) {
	s, _, kim := setup(t, at)
	for _, c := range []struct {
		name, username, password string
		want                     error
	}{
		{"right", "kim", "correct horse battery", nil},
		{"the name in capitals", "KIM", "correct horse battery", nil},
		{"wrong password", "kim", "correct horse batterx", users.ErrWrong},
		{"the password cut short", "kim", "correct hors", users.ErrWrong},
		{"no password", "kim", "", users.ErrWrong},
		{"nobody", "lee", "correct horse battery", users.ErrWrong},
		{"what no name can be", "ki m", "correct horse battery", users.ErrWrong},
		{"no name", "", "", users.ErrWrong},
		{"what no password can be", "kim", "correct\x00horse", users.ErrWrong},
		{"SQL", "kim' --", "correct horse battery", users.ErrWrong},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, err := s.Authenticate(t.Context(), c.username, c.password)
			if !errors.Is(err, c.want) {
				t.Fatalf("Authenticate = %v, want %v", err, c.want)
			}
			if c.want == nil && l != kim {
				t.Errorf("Authenticate = %+v, want %+v", l, kim)
			}
		})
	}
}

// The time of an answer must not show whether an account exists. The test counts hashes instead of
// measuring time: one argon2id hash of the same cost in each case.
func TestTheSameWorkWhetherTheAccountExistsOrNot(t *testing.T) {
	t.Parallel()
	everywhere(t, testTheSameWorkWhetherTheAccountExistsOrNot)
}

func testTheSameWorkWhetherTheAccountExistsOrNot(t *testing.T, at place) {
	s, c, _ := setup(t, at)
	for _, try := range [][2]string{
		{"kim", "wrong password"}, {"nobody", "wrong password"}, {"not a name", "wrong password"}, {"", ""},
		{"kim", "\x00"}, {"nobody", strings.Repeat("x", 60_000)},
	} {
		c.verifications.Store(0)
		if _, err := s.Authenticate(t.Context(), try[0], try[1]); !errors.Is(err, users.ErrWrong) {
			t.Fatalf("Authenticate(%.20q) = %v, want ErrWrong", try, err)
		}
		if v, h := c.verifications.Load(), c.hashes.Load(); v != 1 || h != 0 {
			t.Errorf("Authenticate(%.20q) did %d verifications and %d hashes, want 1 and 0", try, v, h)
		}
	}
	for _, name := range []string{"kim", "new"} {
		c.hashes.Store(0)
		if _, err := s.Register(t.Context(), name, "correct horse battery"); (name == "kim") != errors.Is(err, users.ErrTaken) {
			t.Fatalf("Register(%q) = %v", name, err)
		}
		if h := c.hashes.Load(); h != 1 {
			t.Errorf("Register(%q) did %d hashes, want 1", name, h)
		}
	}
}

func TestOneOfManyRegistrationsOfANameSucceeds(t *testing.T) {
	t.Parallel()
	everywhere(t, testOneOfManyRegistrationsOfANameSucceeds)
}

func testOneOfManyRegistrationsOfANameSucceeds(t *testing.T, at place) {
	c := newCounter(t, cheap)
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 8 { // as processes would, each of which opens the file and makes its tables
		wg.Go(func() {
			s, err := at.open(t, c)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			switch _, err := s.Register(t.Context(), "kim", "correct horse battery"); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, users.ErrTaken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%d registered the name, want 1", n)
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	everywhere(t, testChangePassword)
}

func testChangePassword(t *testing.T, at place) {
	s, _, kim := setup(t, at)
	ctx := t.Context()
	if _, err := s.ChangePassword(ctx, kim.User.ID, "wrong", "battery staple pile"); !errors.Is(err, users.ErrWrong) {
		t.Errorf("with a wrong present password: %v, want ErrWrong", err)
	}
	if _, err := s.ChangePassword(ctx, 4711, "correct horse battery", "battery staple pile"); !errors.Is(err, users.ErrWrong) {
		t.Errorf("of nobody: %v, want ErrWrong", err)
	}
	if current, err := s.Current(ctx, kim); err != nil || !current {
		t.Errorf("Current = %v, %v before any change", current, err)
	}
	if _, err := s.ChangePassword(ctx, kim.User.ID, "correct horse battery", "battery staple pile"); err != nil {
		t.Fatal(err)
	}
	if current, err := s.Current(ctx, kim); err != nil || current {
		t.Errorf("Current = %v, %v for a login with the old password", current, err)
	}
	if _, err := s.Authenticate(ctx, "kim", "correct horse battery"); !errors.Is(err, users.ErrWrong) {
		t.Errorf("the old password: %v, want ErrWrong", err)
	}
	if _, err := s.Authenticate(ctx, "kim", "battery staple pile"); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestOneOfTwoConcurrentPasswordChangesSucceeds(t *testing.T) {
	t.Parallel()
	everywhere(t, testOneOfTwoConcurrentPasswordChangesSucceeds)
}

func testOneOfTwoConcurrentPasswordChangesSucceeds(t *testing.T, at place) {
	s, _, kim := setup(t, at)
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.ChangePassword(t.Context(), kim.User.ID, "correct horse battery", "battery staple pile"); err == nil {
				won.Add(1)
			} else if !errors.Is(err, users.ErrWrong) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%d changes counted, want 1", n)
	}
}

func TestAHashOfAnOutdatedCostIsReplacedAtLogin(t *testing.T) {
	t.Parallel()
	everywhere(t, testAHashOfAnOutdatedCostIsReplacedAtLogin)
}

func testAHashOfAnOutdatedCostIsReplacedAtLogin(t *testing.T, at place) {
	old := at.mustOpen(t, newCounter(t, cheap))
	kim, err := old.Register(t.Context(), "kim", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	dearer := cheap
	dearer.Iterations = 2
	c := newCounter(t, dearer)
	s := at.mustOpen(t, c)
	for i, want := range []int64{1, 1} { // replaced once, and valid from then on
		if _, err := s.Authenticate(t.Context(), "kim", "correct horse battery"); err != nil {
			t.Fatal(err)
		}
		if n := c.hashes.Load(); n != want {
			t.Errorf("after login %d: %d hashes made, want %d", i+1, n, want)
		}
	}
	if current, err := s.Current(t.Context(), kim); err != nil || !current {
		t.Errorf("Current = %v, %v: a new hash of the same password must end no login", current, err)
	}
}

func TestAccountsOutliveTheProcessAndTheFileIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a folder? with #odd% characters", "users.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	first, err := users.Open(t.Context(), path, newCounter(t, cheap))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Register(t.Context(), "kim", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %04o, want 0600", f.Name(), mode)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, path, newCounter(t, cheap)).Authenticate(t.Context(), "kim", "correct horse battery"); err != nil {
		t.Errorf("after reopening: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "correct horse battery") {
		t.Errorf("the file holds the password itself (%v)", err)
	}
}

func TestAFileOfALaterVersionIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	if err := open(t, path, newCounter(t, cheap)).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`PRAGMA user_version = 3`); err != nil {
		t.Fatal(err)
	}
	_, err = users.Open(t.Context(), path, newCounter(t, cheap))
	if err == nil || !strings.Contains(err.Error(), "use a newer nestsession") {
		t.Errorf("Open = %v, want advice to use a newer program", err)
	}
}

func TestPingSaysThatTheFileIsClosed(t *testing.T) {
	t.Parallel()
	everywhere(t, testPingSaysThatTheFileIsClosed)
}

func testPingSaysThatTheFileIsClosed(t *testing.T, at place) {
	s, _, _ := setup(t, at)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("Ping of a closed store = nil")
	}
}
