//go:build unix

package servers

import (
	"errors"
	"os"
	"sync"
	"testing"
)

var (
	sharedMu  sync.Mutex
	endShared []func()
	mainRuns  bool
)

// Main runs the tests of a package and ends the servers that they shared:
//
//	func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }
func Main(m *testing.M) int {
	sharedMu.Lock()
	mainRuns = true
	sharedMu.Unlock()
	code := m.Run()
	sharedMu.Lock()
	defer sharedMu.Unlock()
	for _, end := range endShared {
		end()
	}
	endShared = nil
	if folder, err := root(); err == nil {
		_ = os.RemoveAll(folder.path)
	}
	return code
}

// shared is a server that many tests use.
type shared[S interface {
	remove()
	Log() string
}] struct {
	once   sync.Once
	server S
	err    error
}

// get returns the server, and starts it at the first call.
func (s *shared[S]) get(t testing.TB, start func() (S, error)) S {
	t.Helper()
	s.once.Do(func() {
		sharedMu.Lock()
		defer sharedMu.Unlock()
		if !mainRuns {
			s.err = errors.New("servers: a shared server needs func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }")
			return
		}
		if s.server, s.err = start(); s.err == nil {
			endShared = append(endShared, s.server.remove)
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of the shared server:\n%s", s.server.Log())
		}
	})
	return s.server
}

var (
	sharedRedis    shared[*Redis]
	sharedPostgres shared[*Postgres]
	sharedMariaDB  shared[*MariaDB]
)

// SharedRedis is a Redis server for the tests of this process, which needs [Main]. It has
// a password. Tests keep apart by key prefixes.
func SharedRedis(t testing.TB) *Redis {
	t.Helper()
	return sharedRedis.get(t, func() (*Redis, error) {
		return startRedis(nil, RedisOptions{Password: databasePassword})
	})
}

// SharedPostgres is a PostgreSQL server for the tests of this process, which needs
// [Main]. Tests keep apart by [Postgres.NewDatabase].
func SharedPostgres(t testing.TB) *Postgres {
	t.Helper()
	return sharedPostgres.get(t, func() (*Postgres, error) { return startPostgres(nil, PostgresOptions{}) })
}

// SharedMariaDB is a MariaDB server for the tests of this process, which needs [Main].
// Tests keep apart by [MariaDB.NewDatabase].
func SharedMariaDB(t testing.TB) *MariaDB {
	t.Helper()
	return sharedMariaDB.get(t, func() (*MariaDB, error) { return startMariaDB(nil, MariaDBOptions{}) })
}
