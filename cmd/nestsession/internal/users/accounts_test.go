package users_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

// operate returns a server's store with the accounts kim and lee, their logins, and the operator's
// view of the same file.
func operate(t *testing.T, at place) (s *users.Store, kim, lee users.Login, a *users.Accounts) {
	t.Helper()
	s = at.mustOpen(t, newCounter(t, cheap))
	var err error
	if kim, err = s.Register(t.Context(), "kim", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	if lee, err = s.Register(t.Context(), "lee", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	return s, kim, lee, at.operator(t)
}

func wantCurrent(t *testing.T, s *users.Store, when string, l users.Login, want bool) {
	t.Helper()
	if got, err := s.Current(t.Context(), l); err != nil || got != want {
		t.Errorf("%s: Current = %v, %v; want %v", when, got, err, want)
	}
}

func TestADisabledAccountLetsNobodyInAndEndsItsLoginsForGood(t *testing.T) {
	t.Parallel()
	everywhere(t, testADisabledAccountLetsNobodyInAndEndsItsLoginsForGood)
}

func testADisabledAccountLetsNobodyInAndEndsItsLoginsForGood(t *testing.T, at place) {
	s, kim, lee, a := operate(t, at)
	account, err := a.Disable(t.Context(), "KIM")
	if err != nil || account.Username != "kim" || account.Disabled.IsZero() {
		t.Fatalf("Disable = %+v, %v", account, err)
	}
	again, err := a.Disable(t.Context(), "kim")
	if err != nil || !again.Disabled.Equal(account.Disabled) {
		t.Errorf("disabled again: since %v, want since %v (%v)", again.Disabled, account.Disabled, err)
	}
	wantCurrent(t, s, "disabled", kim, false)
	wantCurrent(t, s, "another's", lee, true)
	if _, err := s.Authenticate(t.Context(), "kim", "correct horse battery"); !errors.Is(err, users.ErrDisabled) {
		t.Errorf("the right password: %v, want ErrDisabled", err)
	}
	if _, err := s.Authenticate(t.Context(), "kim", "wrong password"); !errors.Is(err, users.ErrWrong) {
		t.Errorf("a wrong password: %v, want ErrWrong: who guesses is told nothing", err)
	}
	if _, err := s.ChangePassword(t.Context(), kim.User.ID, "correct horse battery", "another horse battery"); !errors.Is(err, users.ErrWrong) {
		t.Errorf("changing the password: %v, want ErrWrong", err)
	}
	if _, err := a.Enable(t.Context(), "kim"); err != nil {
		t.Fatal(err)
	}
	wantCurrent(t, s, "enabled again", kim, false)
	fresh, err := s.Authenticate(t.Context(), "kim", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	wantCurrent(t, s, "a new login", fresh, true)
}

func TestADeletedAccountIsGoneAndItsIDIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	everywhere(t, testADeletedAccountIsGoneAndItsIDIsNotGivenAgain)
}

func testADeletedAccountIsGoneAndItsIDIsNotGivenAgain(t *testing.T, at place) {
	s, kim, lee, a := operate(t, at)
	if _, err := a.Delete(t.Context(), "lee"); err != nil {
		t.Fatal(err)
	}
	wantCurrent(t, s, "deleted", lee, false)
	wantCurrent(t, s, "another's", kim, true)
	if _, err := s.Authenticate(t.Context(), "lee", "correct horse battery"); !errors.Is(err, users.ErrWrong) {
		t.Errorf("logging in: %v, want ErrWrong", err)
	}
	namesake, err := s.Register(t.Context(), "lee", "correct horse battery")
	if err != nil || namesake.User.ID == lee.User.ID {
		t.Errorf("the name again: id %d, %v; want another id than %d", namesake.User.ID, err, lee.User.ID)
	}
	wantCurrent(t, s, "of the one before", lee, false)
	for name, change := range map[string]func() error{
		"delete":  func() error { _, err := a.Delete(t.Context(), "nobody"); return err },
		"disable": func() error { _, err := a.Disable(t.Context(), "no body"); return err },
		"enable":  func() error { _, err := a.Enable(t.Context(), ""); return err },
	} {
		if err := change(); !errors.Is(err, users.ErrUnknown) {
			t.Errorf("%s nobody: %v, want ErrUnknown", name, err)
		}
	}
}

// A generation that was guessed, or that belongs to another user, is not valid.
func TestALoginIsOfOneUserAndOneGeneration(t *testing.T) {
	t.Parallel()
	everywhere(t, testALoginIsOfOneUserAndOneGeneration)
}

func testALoginIsOfOneUserAndOneGeneration(t *testing.T, at place) {
	s, kim, lee, _ := operate(t, at)
	seen := map[int64]bool{kim.Generation: true, lee.Generation: true}
	for _, g := range []int64{0, 1, 2, kim.Generation + 1, lee.Generation} {
		wantCurrent(t, s, "another generation", users.Login{User: kim.User, Generation: g}, false)
	}
	wantCurrent(t, s, "another name", users.Login{User: users.User{ID: kim.User.ID, Username: "ada"}, Generation: kim.Generation}, false)
	words := []string{"correct horse battery", "battery staple pile"}
	for i := range 10 {
		l, err := s.ChangePassword(t.Context(), kim.User.ID, words[i%2], words[(i+1)%2])
		if err != nil {
			t.Fatal(err)
		}
		if seen[l.Generation] || l.Generation < 1<<20 || l.Generation > 1<<53 {
			t.Errorf("generation %d came before, or can be guessed, or is not the same in JavaScript", l.Generation)
		}
		seen[l.Generation] = true
		wantCurrent(t, s, "after the change", l, true)
		wantCurrent(t, s, "before the change", kim, false)
		kim = l
	}
}

func TestAllAccountsAreListed(t *testing.T) {
	t.Parallel()
	everywhere(t, testAllAccountsAreListed)
}

func testAllAccountsAreListed(t *testing.T, at place) {
	s := at.mustOpen(t, newCounter(t, cheap))
	const n = 1100 // more than two pages
	if _, err := s.Register(t.Context(), "kim", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	for i := 2; i <= n && at.kind == storeurl.NATS; i++ {
		if _, err := s.Register(t.Context(), fmt.Sprint("user", i), "correct horse battery"); err != nil {
			t.Fatal(err)
		}
	}
	var rows []string
	for i := 2; i <= n; i++ {
		row := fmt.Sprintf("('user%d', 'x', %d, 1000", i, i)
		if at.kind == storeurl.MySQL {
			row += fmt.Sprintf(", %d", i)
		}
		rows = append(rows, row+")")
	}
	into := map[storeurl.Kind]string{"": "users (name, password, generation, created_at)",
		storeurl.Postgres: "nest_users (name, password, generation, created_at)", storeurl.MySQL: "nest_users (name, password, generation, created_at, id)"}
	if at.kind == storeurl.NATS {
		t.Log("the accounts are registered one by one: there is no other way to make them")
	} else if _, err := at.database(t).Exec("INSERT INTO " + into[at.kind] + " VALUES " + strings.Join(rows, ", ")); err != nil {
		t.Fatal(err)
	}
	a := at.operator(t)
	last, count := int64(0), 0
	if err := a.Each(t.Context(), func(account users.Account) error {
		if account.ID <= last || account.Username == "" || account.Created.IsZero() || !account.Disabled.IsZero() {
			t.Errorf("after %d: %+v", last, account)
		}
		last = account.ID
		count++
		return nil
	}); err != nil || count != n {
		t.Errorf("%d accounts, %v; want %d", count, err, n)
	}
	stop := errors.New("stop")
	if err := a.Each(t.Context(), func(users.Account) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Each = %v, want the function's error", err)
	}
}

func TestOpenAccountsMakesNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	for range 2 {
		if _, err := users.OpenAccounts(t.Context(), path); err == nil || !strings.Contains(err.Error(), "--data FOLDER") {
			t.Errorf("OpenAccounts = %v, want an error that says what to do", err)
		}
	}
}

// A file of the version before is migrated, and keeps its accounts.
func TestAFileOfTheFirstVersionIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	h := newCounter(t, cheap)
	phc, err := h.Hash(t.Context(), "hunter22") // as that version allowed
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
		password TEXT NOT NULL, generation INTEGER NOT NULL DEFAULT 1, created_at INTEGER NOT NULL) STRICT;
		PRAGMA user_version = 1;`); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kim", "lee"} {
		if _, err := db.Exec(`INSERT INTO users (name, password, created_at) VALUES (?, ?, 1000)`, name, phc); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // as Open had made it
		t.Fatal(err)
	}
	s := open(t, path, h)
	kim, err := s.Authenticate(t.Context(), "kim", "hunter22")
	if err != nil {
		t.Fatalf("a password of that time: %v", err)
	}
	lee, err := s.Authenticate(t.Context(), "lee", "hunter22")
	if err != nil || kim.Generation == lee.Generation || kim.Generation < 1<<20 {
		t.Errorf("generations %d and %d, %v; want random ones", kim.Generation, lee.Generation, err)
	}
	wantCurrent(t, s, "logged in", kim, true)
}
