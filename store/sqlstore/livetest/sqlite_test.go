package livetest

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/nestsession/session/store/sqlstore"
	"github.com/nestsession/session/store/storetest"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		path := filepath.Join(t.TempDir(), "sessions.db")
		var o storetest.Opened
		for i := range 3 {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db, Dialect: sqlstore.SQLite, Create: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close(); db.Close() })
			if i == 0 {
				o.Store = s
			} else {
				o.Peers = append(o.Peers, s)
			}
		}
		return o
	}, storetest.Options{Without: map[storetest.Capability]string{
		storetest.Watcher:        "nobody tells it of changes",
		storetest.UniqueVersions: "a version is a digest of what is stored",
	}})
}
