package faults

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/nestsession/session/internal/servers"
)

// TestReadOnly: a server that accepts no writes still serves reads, so users stay logged in. A
// request that must write gets the error response, even a logout. When the server accepts writes
// again, everything works.
func TestReadOnly(t *testing.T) {
	watchGoroutines(t)
	t.Run("on", func(t *testing.T) {
		t.Run("postgres", func(t *testing.T) {
			t.Parallel()
			p := servers.StartPostgres(t, servers.PostgresOptions{})
			set := func(to string) {
				p.Exec(t, "postgres", "ALTER SYSTEM SET default_transaction_read_only = "+to)
				p.Exec(t, "postgres", "SELECT pg_reload_conf()")
				until(t, "the setting counts", func() bool { return p.Exec(t, "postgres", "SHOW default_transaction_read_only") == to })
			}
			readOnly(t, postgresBackend(t, p), "read-only transaction", func() { set("on") }, func() { set("off") })
		})
		t.Run("mariadb", func(t *testing.T) {
			t.Parallel()
			m := servers.StartMariaDB(t, servers.MariaDBOptions{})
			set := func(to string) { m.Exec(t, "mysql", "SET GLOBAL read_only = "+to) }
			readOnly(t, mariaBackend(t, m), "read-only", func() { set("1") }, func() { set("0") })
		})
		t.Run("redis, a replica", func(t *testing.T) {
			t.Parallel()
			r := servers.StartRedis(t, servers.RedisOptions{Password: password})
			next := servers.StartRedis(t, servers.RedisOptions{Password: password, ReplicaOf: r})
			do := redisDo(t)
			readOnly(t, redisBackend(r), "READONLY", func() { // master and replica change their roles
				caughtUp(t, r, next)
				do(next, "REPLICAOF", "NO", "ONE")
				do(r, "REPLICAOF", "127.0.0.1", next.Port())
				caughtUp(t, next, r)
			}, func() { do(r, "REPLICAOF", "NO", "ONE") })
		})
		t.Run("redis, too few replicas", func(t *testing.T) {
			t.Parallel()
			r := servers.StartRedis(t, servers.RedisOptions{Password: password})
			do := redisDo(t)
			set := func(to string) { do(r, "CONFIG", "SET", "min-replicas-to-write", to) }
			readOnly(t, redisBackend(r), "NOREPLICAS", func() { set("1") }, func() { set("0") })
		})
		t.Run("redis, disk full", func(t *testing.T) {
			t.Parallel()
			// Redis refuses writes when it could not save its data to the disk.
			r := servers.StartRedis(t, servers.RedisOptions{Password: password, Extra: []string{"save 3600 1000000"}})
			do := redisDo(t)
			bgsaves := func(status string) {
				until(t, "a snapshot ends with "+status, func() bool {
					do(r, "BGSAVE")
					info, err := r.Info(t.Context())
					return err == nil && info["rdb_last_bgsave_status"] == status && info["rdb_bgsave_in_progress"] == "0"
				})
			}
			inTheWay := r.Dir() + "/dump.rdb/folder"
			readOnly(t, redisBackend(r), "MISCONF", func() {
				if err := os.MkdirAll(inTheWay, 0o700); err != nil {
					t.Fatal(err)
				}
				bgsaves("err")
			}, func() {
				if err := os.RemoveAll(r.Dir() + "/dump.rdb"); err != nil {
					t.Fatal(err)
				}
				bgsaves("ok")
			})
		})
	})
}

// redisDo sends commands to a server. Each must succeed, or report that it is in progress.
func redisDo(t *testing.T) func(r *servers.Redis, command ...string) {
	return func(r *servers.Redis, command ...string) {
		t.Helper()
		if _, err := r.Do(t.Context(), command...); err != nil && !strings.Contains(err.Error(), "in progress") {
			t.Fatal(err)
		}
	}
}

// readOnly has users before, during and after the time without writes.
func readOnly(t *testing.T, b backend, reason string, begin, end func()) {
	nodes := []*node{newNode(t, b.open(t, b.Addr()), unhurried), newNode(t, b.open(t, b.Addr()), unhurried)}
	ada, eve := newBrowser(t, "ada"), newBrowser(t, "eve")
	for _, u := range []*browser{ada, eve} {
		u.mustLogin(nodes[0])
		u.mustAdd(nodes[1])
	}
	begin()
	for _, n := range nodes {
		if a := ada.look(n); a.status != http.StatusOK {
			t.Errorf("reading: %v", a)
		}
		if a := ada.add(n); a.status != http.StatusServiceUnavailable {
			t.Errorf("saving: %v", a)
		}
		if a := newBrowser(t, "new").login(n); a.status != http.StatusServiceUnavailable {
			t.Errorf("login: %v", a)
		}
		for _, path := range []string{"/logout", "/everywhere"} {
			if a := eve.logout(n, path); a.status != http.StatusServiceUnavailable {
				t.Errorf("%s: %v", path, a)
			}
			if a := eve.look(n); a.status != http.StatusOK { // nothing was written, so the session is still there
				t.Errorf("after a %s that failed: %v", path, a)
			}
		}
		if log := n.log.String(); !strings.Contains(log, reason) || strings.Contains(log, b.password) {
			t.Errorf("the log does not contain %q, or contains the password:\n%s", reason, log)
		}
	}
	end()
	for _, n := range nodes {
		until(t, "ada can save again", func() bool { return ada.add(n).status == http.StatusOK })
		ada.settled(n)
	}
	eve.mustLogout(nodes[0], "/logout")
	eve.settled(nodes[1])
}
