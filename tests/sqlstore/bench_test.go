package sqlstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// A session of 146 bytes of JSON, as package session's are.
const document = `{"cookie":{"originalMaxAge":3600000,"expires":"2026-01-02T04:04:05.000Z","httpOnly":true,"path":"/","sameSite":"lax"},"user":"ada","roles":["admin"]}`

func BenchmarkStore(b *testing.B) {
	for name, d := range dialects {
		for layout, c := range configs(d) {
			b.Run(name+"/"+layout, func(b *testing.B) {
				more := ""
				if d == sqlstore.SQLite {
					more = "?_pragma=journal_mode(wal)&_pragma=synchronous(1)&_pragma=busy_timeout(5000)"
				}
				c.DB, c.Create = newDatabase(b, d).open(b, more), true
				c.DB.SetMaxIdleConns(32)
				s := newStore(b, c)
				far := time.Now().Add(time.Hour)
				var records []store.Record
				for i := range 1000 {
					records = append(records, create(b, s, store.Record{ID: fmt.Sprintf("session-%035d", i), Data: []byte(document), Expires: far}))
				}
				b.Run("Load", func(b *testing.B) {
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						if _, err := s.Load(b.Context(), records[i%len(records)].ID); err != nil {
							b.Fatal(err)
						}
					}
				})
				b.Run("Update", func(b *testing.B) {
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						r := &records[i%len(records)]
						r.Data = append([]byte(document[:len(document)-1]), fmt.Sprintf(`,"n":%d}`, i)...)
						var err error
						if r.Version, err = s.Update(b.Context(), *r); err != nil {
							b.Fatal(err)
						}
					}
				})
				b.Run("Touch", func(b *testing.B) {
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						if err := s.Touch(b.Context(), records[i%len(records)].ID, far.Add(time.Duration(i)*time.Second)); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		}
	}
}

// BenchmarkPlain is the least that a store can do: one row by its key, and no
// comparison of versions.
func BenchmarkPlain(b *testing.B) {
	for name, d := range dialects {
		b.Run(name, func(b *testing.B) {
			more, p := "", []string{"?", "?", "?"}
			replace := "REPLACE INTO sessions (token, data, expiry) VALUES (?, ?, ?)"
			switch d {
			case sqlstore.SQLite:
				more = "?_pragma=journal_mode(wal)&_pragma=synchronous(1)&_pragma=busy_timeout(5000)"
			case sqlstore.Postgres:
				p = []string{"$1", "$2", "$3"}
				replace = "INSERT INTO sessions (token, data, expiry) VALUES ($1, $2, $3) ON CONFLICT (token) DO UPDATE SET data = EXCLUDED.data, expiry = EXCLUDED.expiry"
			}
			bytes := map[sqlstore.Dialect]string{sqlstore.SQLite: "BLOB", sqlstore.Postgres: "bytea", sqlstore.MySQL: "blob"}[d]
			db := newDatabase(b, d).open(b, more)
			db.SetMaxIdleConns(32)
			run(b, db, "CREATE TABLE sessions (token varchar(100) PRIMARY KEY, data "+bytes+" NOT NULL, expiry bigint NOT NULL)")
			run(b, db, "CREATE INDEX e ON sessions (expiry)")
			far := time.Now().Add(time.Hour).Unix()
			var ids []string
			for i := range 1000 {
				ids = append(ids, fmt.Sprintf("session-%035d", i))
				run(b, db, replace, ids[i], []byte(document), far)
			}
			b.Run("Load", func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					var data []byte
					if err := db.QueryRowContext(b.Context(), "SELECT data FROM sessions WHERE token = "+p[0]+" AND "+p[1]+" < expiry", ids[i%len(ids)], far-3600).Scan(&data); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("Update", func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					data := append([]byte(document[:len(document)-1]), fmt.Sprintf(`,"n":%d}`, i)...)
					if _, err := db.ExecContext(b.Context(), replace, ids[i%len(ids)], data, far+int64(i)); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkTogether is 32 callers at once, each with sessions of its own.
func BenchmarkTogether(b *testing.B) {
	for name, d := range dialects {
		b.Run(name, func(b *testing.B) {
			more := ""
			if d == sqlstore.SQLite {
				more = "?_pragma=journal_mode(wal)&_pragma=synchronous(1)&_pragma=busy_timeout(5000)"
			}
			db := newDatabase(b, d).open(b, more)
			db.SetMaxIdleConns(32)
			s := newStore(b, sqlstore.Config{DB: db, Dialect: d, Create: true})
			far := time.Now().Add(time.Hour)
			var callers atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				r := create(b, s, store.Record{ID: fmt.Sprintf("session-%035d", callers.Add(1)), Data: []byte(document), Expires: far})
				for i := 0; pb.Next(); i++ {
					r.Data = append([]byte(document[:len(document)-1]), fmt.Sprintf(`,"n":%d}`, i)...)
					var err error
					if r.Version, err = s.Update(b.Context(), r); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
