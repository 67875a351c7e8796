package faults

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/store/sqlstore"
	"github.com/nestsession/session/tests/internal/natsserver"
)

// holder is a store and what somebody can read who has its files, a backup, or a copy of its
// memory.
type holder struct {
	store store.Store
	has   func(t *testing.T, text string) bool
}

// inFiles searches the files of a folder: tables, indexes and logs.
func inFiles(folder string) func(*testing.T, string) bool {
	return func(t *testing.T, text string) bool {
		found := false
		err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil // a server removes files meanwhile
			}
			content, err := os.ReadFile(path)
			found = found || err == nil && bytes.Contains(content, []byte(text))
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		return found
	}
}

var holders = map[string]func(t *testing.T) holder{
	"memory, its snapshot": func(t *testing.T) holder {
		file := filepath.Join(t.TempDir(), "sessions")
		s, err := memstore.Open(file, memstore.Config{SnapshotInterval: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return holder{s, func(t *testing.T, text string) bool {
			if err := s.WriteSnapshot(t.Context()); err != nil {
				t.Error(err)
			}
			stolen := filepath.Join(t.TempDir(), "stolen")
			content, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(stolen, content, 0o600)
			}
			thief, failed := memstore.Open(stolen, memstore.Config{SnapshotInterval: -1}) // the file packs text
			if err = errors.Join(err, failed); err != nil {
				t.Fatal(err)
			}
			defer thief.Close()
			found := bytes.Contains(content, []byte(text))
			for rec, err := range thief.List(t.Context(), "") {
				found = found || err == nil && bytes.Contains(rec.Data, []byte(text))
			}
			return found
		}}
	},
	"memory, its journal": func(t *testing.T) holder {
		folder := t.TempDir()
		s, err := memstore.Open(filepath.Join(folder, "sessions"), memstore.Config{SnapshotInterval: 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return holder{s, func(t *testing.T, text string) bool {
			stolen := t.TempDir()
			if err := os.CopyFS(stolen, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			thief, err := memstore.Open(filepath.Join(stolen, "sessions"), memstore.Config{SnapshotInterval: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer thief.Close()
			found := inFiles(folder)(t, text)
			for rec, err := range thief.List(t.Context(), "") {
				found = found || err == nil && bytes.Contains(rec.Data, []byte(text))
			}
			return found
		}}
	},
	"SQLite, its files": func(t *testing.T) holder {
		folder := t.TempDir()
		return holder{openSQL(t, "sqlite", sqliteDSN(folder+"/sessions.db"), sqlstore.SQLite), inFiles(folder)}
	},
	"PostgreSQL, its files": func(t *testing.T) holder {
		p := servers.SharedPostgres(t)
		return holder{openSQL(t, "pgx", p.NewDatabase(t), sqlstore.Postgres), inFiles(p.Dir())}
	},
	"pgxstore, its files": func(t *testing.T) holder {
		p := servers.SharedPostgres(t)
		pool, err := pgxpool.New(context.Background(), p.NewDatabase(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		s, err := pgxstore.New(context.Background(), pool, pgxstore.Config{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return holder{s, inFiles(p.Dir())}
	},
	"MariaDB, its files": func(t *testing.T) holder {
		m := servers.SharedMariaDB(t)
		return holder{openSQL(t, "mysql", m.NewDatabase(t), sqlstore.MySQL), inFiles(m.Dir())}
	},
	"Redis, its append-only file": func(t *testing.T) holder {
		r := servers.StartRedis(t, servers.RedisOptions{Password: password, AppendOnly: "always"})
		return holder{openRedisAs(t, redisOption(r.Password(), r.Addr()), redisstore.Config{}), inFiles(r.Dir())}
	},
	"Redis in the layout of connect-redis": func(t *testing.T) holder {
		r := servers.StartRedis(t, servers.RedisOptions{Password: password, AppendOnly: "always"})
		return holder{openRedisAs(t, redisOption(r.Password(), r.Addr()), expressRedis), inFiles(r.Dir())}
	},
	"SQLite in the layout of connect-sqlite3": func(t *testing.T) holder {
		folder := t.TempDir()
		s, err := sqlstore.New(context.Background(), sqlstore.Config{
			DB: openDB(t, "sqlite", sqliteDSN(folder+"/sessions.db")), Dialect: sqlstore.SQLite, Layout: sqlstore.ConnectSQLite3, Create: true, OwnerOf: session.OwnerOf,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return holder{s, inFiles(folder)}
	},
	"Redis, its snapshot": func(t *testing.T) holder {
		r := servers.StartRedis(t, servers.RedisOptions{Password: password, Extra: []string{"rdbcompression no"}})
		return holder{openRedisAs(t, redisOption(r.Password(), r.Addr()), redisstore.Config{}), func(t *testing.T, text string) bool {
			if _, err := r.Do(t.Context(), "SAVE"); err != nil {
				t.Error(err)
			}
			return inFiles(r.Dir())(t, text)
		}}
	},
	"NATS, its files": func(t *testing.T) holder {
		s := natsserver.Start(t, 1, servers.NATSOptions{Password: password})[0]
		kept, err := natsstore.Open(context.Background(), s.URL(), natsstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kept.Close() })
		return holder{kept, inFiles(s.Dir())}
	},
	"a near cache, its memory": func(t *testing.T) holder {
		s := memstore.New(memstore.Config{})
		t.Cleanup(func() { _ = s.Close() })
		// A store that reports no changes: no goroutine uses the memory while it is read.
		quiet := struct {
			store.Store
			store.Lister
		}{s, s}
		c, err := nearcache.New(quiet, nearcache.Config{MaxStale: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return holder{c, func(_ *testing.T, text string) bool {
			shards := reflect.ValueOf(c).Elem().FieldByName("shards")
			return inMemory(shards, []byte(text), map[uintptr]bool{})
		}}
	},
}

// inMemory searches all that can be reached from v.
func inMemory(v reflect.Value, text []byte, seen map[uintptr]bool) bool {
	switch v.Kind() {
	case reflect.String:
		return bytes.Contains([]byte(v.String()), text)
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return false
		}
		seen[v.Pointer()] = true
		return inMemory(v.Elem(), text, seen)
	case reflect.Interface:
		return !v.IsNil() && inMemory(v.Elem(), text, seen)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			return bytes.Contains(v.Bytes(), text)
		}
		for i := range v.Len() {
			if inMemory(v.Index(i), text, seen) {
				return true
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if inMemory(entries.Key(), text, seen) || inMemory(entries.Value(), text, seen) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if inMemory(v.Field(i), text, seen) {
				return true
			}
		}
	}
	return false
}

type secretive struct {
	Word  string   `json:"word"`
	Words []string `json:"words,omitempty"`
}

// TestSealedDataAreInNoDump: nothing of sealed data stands in the files of a store, nor in the
// memory of a cache in front of it, through all that a session goes through. What is stored
// readable afterwards is found there, so the search would have found the sealed data.
func TestSealedDataAreInNoDump(t *testing.T) {
	t.Parallel()
	for name, open := range holders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			sealed, readable := rand.Text(), rand.Text()
			live(t, h.store, session.SealOnly, sealed)
			live(t, h.store, session.SealOff, readable)
			again := time.NewTicker(50 * time.Millisecond)
			defer again.Stop()
			for until := time.Now().Add(2 * time.Minute); !h.has(t, readable); <-again.C {
				if time.Now().After(until) {
					t.Fatal("what is stored readable is not found: the search is of no use")
				}
			}
			if h.has(t, sealed) {
				t.Error("sealed data are found")
			}
			owners := 0
			m := sealingNode(t, h.store, session.SealOnly)
			for info, err := range m.List(t.Context(), "user:"+sealed[:8]) {
				if err != nil || !info.Sealed || info.Data.Word != "" {
					t.Errorf("List yields %+v, sealed %v, %v", info, info.Sealed, err)
				}
				owners++
			}
			if n, err := m.RevokeOwner(t.Context(), "user:"+sealed[:8]); n != owners || owners != 1 || err != nil {
				t.Errorf("RevokeOwner ended %d of %d sessions: %v", n, owners, err)
			}
		})
	}
}

func sealingNode(t *testing.T, s store.Store, seal session.Seal) *session.Manager[secretive] {
	t.Helper()
	m, err := session.New[secretive](session.Config{Secrets: []string{"a secret for the tests of dumps"}, Store: s, Seal: seal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// live has a visitor put word into a session, log in, change the data and get a new id, each
// time with a request in flight that changes them too.
func live(t *testing.T, s store.Store, seal session.Seal, word string) {
	t.Helper()
	cookie := ""
	visit := func(do func(r *http.Request, s *session.Session[secretive]) error) {
		t.Helper()
		r := httptest.NewRequest("GET", "https://shop.test/", nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		sealingNode(t, s, seal).HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[secretive]) {
			if err := do(r, s); err != nil {
				t.Error(err)
			}
		})(w, r)
		for _, c := range w.Result().Cookies() {
			cookie = c.Name + "=" + c.Value
		}
		if w.Code != http.StatusOK || cookie == "" {
			t.Errorf("answered %d, cookie %q", w.Code, cookie)
		}
	}
	put := func(s *session.Session[secretive]) {
		s.Update(func(d *secretive) { d.Word, d.Words = word, append(d.Words, word) })
	}
	visit(func(_ *http.Request, s *session.Session[secretive]) error { put(s); return nil })
	for _, change := range []func(r *http.Request, s *session.Session[secretive]) error{
		func(r *http.Request, s *session.Session[secretive]) error {
			return s.Login(r.Context(), "user:"+word[:8])
		},
		func(r *http.Request, s *session.Session[secretive]) error { return s.Renew(r.Context()) },
	} {
		before := cookie
		visit(func(_ *http.Request, s *session.Session[secretive]) error {
			put(s)
			visit(change)
			return nil
		})
		if cookie == before {
			t.Error("no new id")
		}
	}
	visit(func(_ *http.Request, s *session.Session[secretive]) error {
		if d := s.Data(); d.Word != word || len(d.Words) != 3 {
			t.Errorf("the session is %+v", d)
		}
		return nil
	})
}
