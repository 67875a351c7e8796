package users_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/internal/servers"
)

// Servers that start at the same moment make the tables together, and all have the same accounts.
func TestManyStartAtOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, at place) {
		const many = 6
		issuers := make(chan string, many)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for range many {
			wg.Go(func() {
				<-start
				s, err := at.open(t, newCounter(t, cheap))
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				issuers <- s.Issuer()
			})
		}
		close(start)
		wg.Wait()
		close(issuers)
		all := map[string]int{}
		for i := range issuers {
			all[i]++
		}
		if len(all) != 1 || len(at.mustOpen(t, newCounter(t, cheap)).Issuer()) != 8 {
			t.Errorf("the accounts have the names %v, want one of 8 digits", all)
		}
	})
}

// A process that ended while it made the tables leaves nothing that keeps the next one from it.
func TestHalfMadeTablesAreFinished(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, at place) {
		if err := at.mustOpen(t, newCounter(t, cheap)).Close(); err != nil {
			t.Fatal(err)
		}
		db := at.database(t)
		for _, left := range []string{"DELETE FROM nest_users_meta", "DROP TABLE nest_users_meta", "DROP TABLE nest_throttle"} {
			if _, err := db.Exec(left); err != nil {
				t.Fatal(err)
			}
			if left == "DROP TABLE nest_throttle" {
				if _, err := db.Exec("DROP TABLE nest_users_meta"); err != nil {
					t.Fatal(err)
				}
			}
			s := at.mustOpen(t, newCounter(t, cheap))
			if s.Issuer() == "" {
				t.Errorf("%s: the accounts have no name", left)
			}
			if _, err := db.Exec("DELETE FROM nest_throttle"); err != nil {
				t.Errorf("%s: %v", left, err)
			}
		}
	})
}

// The user of a server's database needs no right to make tables once they are there.
func TestTablesThatAreThereNeedNoRights(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, at place) {
		db := at.database(t)
		if _, err := users.OpenServerAccounts(t.Context(), db, at.kind); !errors.Is(err, users.ErrNoTables) {
			t.Errorf("an operator's command before any server: %v, want ErrNoTables", err)
		}
		if _, err := users.OpenServer(t.Context(), db, at.kind, false, newCounter(t, cheap)); !errors.Is(err, users.ErrNoTables) {
			t.Errorf("with create=false: %v, want ErrNoTables", err)
		}
		first := at.mustOpen(t, newCounter(t, cheap))
		again, err := users.OpenServer(t.Context(), db, at.kind, false, newCounter(t, cheap))
		if err != nil || again.Issuer() != first.Issuer() {
			t.Errorf("with create=false, when they are there: %v", err)
		}
	})
}

func TestTablesOfALaterVersionAreRefused(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, at place) {
		at.mustOpen(t, newCounter(t, cheap))
		if _, err := at.database(t).Exec(`UPDATE nest_users_meta SET version = 2`); err != nil {
			t.Fatal(err)
		}
		if _, err := at.open(t, newCounter(t, cheap)); err == nil || !strings.Contains(err.Error(), "use a newer nestsession") {
			t.Errorf("Open = %v, want advice to use a newer program", err)
		}
	})
}

// Not even after a restart of the server, which makes MySQL 5.7 forget the next id.
func TestAnIDIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, at place) {
		s := at.mustOpen(t, newCounter(t, cheap))
		a := at.operator(t)
		last := int64(0)
		for _, name := range []string{"kim", "kim", "Ⅳ名前", "kim"} {
			name, err := users.Name(name)
			if err != nil {
				name = "lee"
			}
			l, err := s.Register(t.Context(), name, "correct horse battery")
			if err != nil {
				t.Fatal(err)
			}
			if l.User.ID <= last {
				t.Errorf("id %d after %d", l.User.ID, last)
			}
			last = l.User.ID
			if _, err := s.Register(t.Context(), name, "correct horse battery"); !errors.Is(err, users.ErrTaken) {
				t.Errorf("the name again: %v, want ErrTaken", err)
			}
			if _, err := a.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if at.kind == storeurl.MySQL { // what a restart of MySQL 5.7 does to a column that counts by itself
				if _, err := at.database(t).Exec(`ALTER TABLE nest_users AUTO_INCREMENT = 1`); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// Names that differ only in what a database may overlook are different names.
func TestNamesAreComparedByTheirCharacters(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, at place) {
		s := at.mustOpen(t, newCounter(t, cheap))
		for _, name := range []string{"resume", "résumé", "ss", "ß", "김", "김김", "𠮷", "𠮶", "a-b", "ab"} {
			name, err := users.Name(name)
			if err != nil {
				t.Fatal(err)
			}
			l, err := s.Register(t.Context(), name, "correct horse battery")
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got, err := s.Authenticate(t.Context(), name, "correct horse battery"); err != nil || got != l {
				t.Errorf("%s: %+v, %v; want %+v", name, got, err, l)
			}
		}
		if _, err := at.operator(t).Delete(t.Context(), "ab "); !errors.Is(err, users.ErrUnknown) {
			t.Errorf("deleting a name with a space at the end: %v, want ErrUnknown", err)
		}
	})
}

// A database that is gone is an error of its own, which web answers with 503.
func TestAServerThatIsGone(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, at place) {
		s, _, kim := setup(t, at)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, authenticate := s.Authenticate(t.Context(), "kim", "correct horse battery")
		_, register := s.Register(t.Context(), "lee", "correct horse battery")
		_, change := s.ChangePassword(t.Context(), kim.User.ID, "correct horse battery", "battery staple pile")
		_, verify := s.Verify(t.Context(), kim.User.ID, "correct horse battery")
		_, current := s.Current(t.Context(), kim)
		for what, err := range map[string]error{"Authenticate": authenticate, "Register": register, "ChangePassword": change, "Verify": verify, "Current": current} {
			if !errors.Is(err, users.ErrUnavailable) {
				t.Errorf("%s = %v, want ErrUnavailable", what, err)
			}
		}
	})
}

// A schema of PostgreSQL that is named in the URL holds the tables.
func TestTheTablesAreInTheSchemaOfTheURL(t *testing.T) {
	t.Parallel()
	at := place{kind: storeurl.Postgres, url: servers.SharedPostgres(t).NewDatabase(t)}
	db := at.database(t)
	if _, err := db.Exec(`CREATE SCHEMA "Login, 2"`); err != nil {
		t.Fatal(err)
	}
	at.url += "&schema=Login,%202"
	at.mustOpen(t, newCounter(t, cheap))
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM information_schema.tables WHERE table_schema = 'Login, 2'`).Scan(&n); err != nil || n != 3 {
		t.Errorf("%d tables are in the schema, %v; want 3", n, err)
	}
}

// A database that cannot hold every name is refused at the start, and not at the first such name.
func TestADatabaseNeedsAnEncodingForAllNames(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	p.Exec(t, "postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	t.Cleanup(func() { p.Exec(t, "postgres", "DROP DATABASE latin WITH (FORCE)") })
	if _, err := (place{kind: storeurl.Postgres, url: p.URL("latin")}).open(t, newCounter(t, cheap)); err == nil || !strings.Contains(err.Error(), "encoding UTF8") {
		t.Errorf("Open = %v, want to hear of the encoding", err)
	}
}
