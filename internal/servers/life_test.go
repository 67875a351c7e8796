//go:build unix

package servers

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// server has the methods of every kind of server.
type server interface {
	Addr() string
	PID() int
	Dir() string
	Log() string
	Kill()
	Stop()
	Freeze()
	Thaw()
	Restart()
}

// kind is a kind of server, with functions that write a value and read it again.
type kind struct {
	server
	write func(t *testing.T, value string)
	read  func(t *testing.T) string
	ping  func(ctx context.Context) error // fails at the deadline of ctx
}

var kinds = map[string]func(t *testing.T) kind{
	"redis": func(t *testing.T) kind {
		r := StartRedis(t, RedisOptions{AppendOnly: "always", Password: "pass"})
		return kind{
			server: r,
			write: func(t *testing.T, value string) {
				if _, err := r.Do(t.Context(), "SET", "key", value); err != nil {
					t.Fatal(err)
				}
			},
			read: func(t *testing.T) string {
				answer, err := r.Do(t.Context(), "GET", "key")
				if err != nil {
					t.Fatal(err)
				}
				text, _ := answer.(string)
				return text
			},
			ping: func(ctx context.Context) error {
				_, err := r.Do(ctx, "PING")
				return err
			},
		}
	},
	"postgres": func(t *testing.T) kind {
		p := StartPostgres(t, PostgresOptions{})
		p.Exec(t, "postgres", "CREATE TABLE kept (value text)")
		return kind{
			server: p,
			write:  func(t *testing.T, value string) { p.Exec(t, "postgres", "INSERT INTO kept VALUES ('"+value+"')") },
			read: func(t *testing.T) string {
				return p.Exec(t, "postgres", "SELECT string_agg(value, ',') FROM kept")
			},
			ping: greeted(p.process, postgresAnswers),
		}
	},
	"mariadb": func(t *testing.T) kind {
		m := StartMariaDB(t, MariaDBOptions{})
		m.Exec(t, "mysql", "CREATE DATABASE d; CREATE TABLE d.kept (value text)")
		return kind{
			server: m,
			write:  func(t *testing.T, value string) { m.Exec(t, "d", "INSERT INTO kept VALUES ('"+value+"')") },
			read:   func(t *testing.T) string { return m.Exec(t, "d", "SELECT group_concat(value) FROM kept") },
			ping:   greeted(m.process, mariaAnswers),
		}
	},
}

func greeted(p *process, answers func(context.Context, *process) bool) func(context.Context) error {
	return func(ctx context.Context) error {
		if !answers(ctx, p) {
			return errors.New("no greeting")
		}
		return nil
	}
}

// TestKilledServerKeepsItsData: a restarted server has the same port and data, whether it was
// stopped or killed.
func TestKilledServerKeepsItsData(t *testing.T) {
	t.Parallel()
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := start(t)
			addr, first := k.Addr(), k.PID()
			k.write(t, "one")

			k.Kill()
			if k.PID() != 0 || isAlive(first) || !refuses(addr) {
				t.Error("the server lives after Kill")
			}
			k.Restart()
			if k.Addr() != addr || k.PID() == first {
				t.Errorf("restarted at %s as %d; it was at %s as %d", k.Addr(), k.PID(), addr, first)
			}
			if got := k.read(t); got != "one" {
				t.Errorf("after Kill and Restart it holds %q", got)
			}

			k.Stop()
			if k.PID() != 0 || !refuses(addr) {
				t.Error("the server lives after Stop")
			}
			k.Restart()
			k.Restart() // a server that runs is stopped first
			if got := k.read(t); got != "one" {
				t.Errorf("after Stop and Restart it holds %q", got)
			}
			if len(k.Log()) == 0 {
				t.Error("nothing was logged")
			}
		})
	}
}

// TestFrozenServerAnswersNothing: a frozen server accepts connections and does not answer. It
// answers again after Thaw.
func TestFrozenServerAnswersNothing(t *testing.T) {
	t.Parallel()
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := start(t)
			if err := k.ping(within(t, maxWait)); err != nil {
				t.Fatalf("before Freeze: %v", err)
			}
			k.Freeze()
			if k.ping(within(t, 200*time.Millisecond)) == nil {
				t.Error("it answers while it is frozen")
			}
			if refuses(k.Addr()) {
				t.Error("it refuses connections while it is frozen; a frozen server only does not answer")
			}
			k.Thaw()
			if err := k.ping(within(t, maxWait)); err != nil {
				t.Errorf("after Thaw: %v", err)
			}
			k.Freeze()
			k.Kill() // a frozen server can be killed
			k.Restart()
			k.Freeze()
			k.Stop() // and stopped
		})
	}
}

// TestServersEndWithTheTest: after the test there is no process, child process or folder of the
// server.
func TestServersEndWithTheTest(t *testing.T) {
	t.Parallel()
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var family []int
			var dir, addr string
			t.Run("uses it", func(t *testing.T) {
				k := start(t)
				family = append(descendants(k.PID()), k.PID())
				dir, addr = k.Dir(), k.Addr()
			})
			for _, pid := range family {
				if !eventually(func() bool { return !isAlive(pid) }) {
					t.Errorf("process %d of %v is left", pid, family)
				}
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("its folder is left: %v", err)
			}
			if !refuses(addr) {
				t.Error("something still listens on its port")
			}
		})
	}
}

// TestSharedServersAreShared: all tests of the process get the same server, and none can end it.
func TestSharedServersAreShared(t *testing.T) {
	t.Parallel()
	if one, two := SharedRedis(t), SharedRedis(t); one.PID() != two.PID() || one.PID() == 0 {
		t.Errorf("processes %d and %d", one.PID(), two.PID())
	}
	p := SharedPostgres(t)
	var name string
	t.Run("uses it", func(t *testing.T) {
		dsn := p.NewDatabase(t)
		name = dsn[strings.LastIndex(dsn, "/")+1 : strings.Index(dsn, "?")]
		p.Exec(t, name, "CREATE TABLE mine ()")
	})
	if got := p.Exec(t, "postgres", "SELECT count(*) FROM pg_database WHERE datname = '"+name+"'"); got != "0" {
		t.Errorf("the database of a test that has ended is there: %s", got)
	}
	m := SharedMariaDB(t)
	m.NewDatabase(t)
	defer func() {
		if recover() == nil {
			t.Error("a shared server could be killed")
		}
	}()
	m.Kill()
}
