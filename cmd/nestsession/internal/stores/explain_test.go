package stores

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

func parsed(t *testing.T, url string) *storeurl.Target {
	t.Helper()
	target, err := storeurl.Parse(url, false)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// Whatever a driver writes into an error, the password is not shown.
func TestAPasswordInADriversErrorIsNotShown(t *testing.T) {
	t.Parallel()
	target := parsed(t, "redis://:hunt%40er@h")
	err := explain(target, Options{}, errors.New(`cannot parse "redis://:hunt@er@h"`))
	if strings.Contains(err.Error(), "hunt@er") || !strings.Contains(err.Error(), "cannot parse") {
		t.Errorf("shown: %v", err)
	}
	if err := explain(target.WithPassword("from-a-file"), Options{}, errors.New("from-a-file is wrong")); strings.Contains(err.Error(), "from-a-file") {
		t.Errorf("shown: %v", err)
	}
}

// A store's error names the URL's parameters, and not Config fields.
func TestErrorsSpeakOfTheURL(t *testing.T) {
	t.Parallel()
	target := parsed(t, "sqlite:x")
	err := explain(target, Options{}, errors.New("sqlstore: there is no table t: set Config.Create, or run:\nCREATE"))
	if want := "there is no table t: add create=true to the URL's parameters to create it, or run:\nCREATE"; !strings.HasSuffix(err.Error(), ": "+want) {
		t.Errorf("said %q, want %q at the end", err, want)
	}
}

// A file that a Node application made keeps its journal mode, on which that application may depend.
// A file of ours has WAL.
func TestTheJournalOfAnotherProgramsFileStays(t *testing.T) {
	t.Parallel()
	for layout, want := range map[string]string{"": "wal", "?layout=connect-sqlite3": "delete", "?layout=better-sqlite3-session-store": "delete"} {
		target := parsed(t, "sqlite:"+filepath.Join(t.TempDir(), "s.db")+layout)
		s, err := Open(t.Context(), target, Options{Make: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		db, _, err := database(target.WithPassword(""), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var mode string
		if err := db.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil || mode != want {
			t.Errorf("layout %q: journal mode %q, %v; want %s", layout, mode, err, want)
		}
	}
}
