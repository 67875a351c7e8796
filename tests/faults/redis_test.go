package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
)

// TestMemoryFull: a Redis with noeviction has no more memory. Reads work, and so do logouts, which
// free memory.
func TestMemoryFull(t *testing.T) {
	watchGoroutines(t)
	t.Run("redis", func(t *testing.T) {
		r := servers.StartRedis(t, servers.RedisOptions{Password: password, Extra: []string{"maxmemory-policy noeviction"}})
		do, b := redisDo(t), redisBackend(r)
		n := newNode(t, b.open(t, r.Addr()), unhurried)
		ada, eve, bob := newBrowser(t, "ada"), newBrowser(t, "eve"), newBrowser(t, "bob")
		for _, u := range []*browser{ada, eve, bob} {
			u.mustLogin(n)
		}
		do(r, "CONFIG", "SET", "maxmemory", "1")
		if a := ada.look(n); a.status != http.StatusOK {
			t.Errorf("reading: %v", a)
		}
		if a := ada.add(n); a.status != http.StatusServiceUnavailable {
			t.Errorf("saving: %v", a)
		}
		if a := newBrowser(t, "new").login(n); a.status != http.StatusServiceUnavailable {
			t.Errorf("login: %v", a)
		}
		eve.mustLogout(n, "/logout")
		bob.mustLogout(n, "/everywhere")
		if log := n.log.String(); !strings.Contains(log, "store: full") {
			t.Errorf("the log does not contain the reason:\n%s", log)
		}
		do(r, "CONFIG", "SET", "maxmemory", "0")
		ada.mustAdd(n)
		for _, u := range []*browser{ada, eve, bob} {
			u.settled(n)
		}
	})
}

// TestRedisPersistence: what a killed Redis has after a restart depends on its settings. Redis
// promises this, not the store; package redisstore documents it. ("always" is in
// [TestKilledServer].)
func TestRedisPersistence(t *testing.T) {
	watchGoroutines(t)
	t.Run("with", func(t *testing.T) {
		t.Run("appendfsync everysec", everySecond)
		t.Run("snapshots", snapshots)
		t.Run("nothing", nothing)
	})
}

// everySecond: a write is passed to the operating system before it is answered (or within two
// seconds, if the disk is slow) and written to the disk within about a second. So a kill loses
// nothing that is older than that, and a power cut loses the last second or two.
func everySecond(t *testing.T) {
	t.Parallel()
	r := servers.StartRedis(t, servers.RedisOptions{Password: password, AppendOnly: "everysec"})
	b := redisBackend(r)
	c := newCrowd(t, newNode(t, b.open(t, r.Addr()), hurried), newNode(t, b.open(t, r.Addr()), hurried))
	c.saves(200)
	c.end()
	until(t, "all is written", func() bool {
		info, err := r.Info(t.Context())
		return err == nil && info["aof_buffer_length"] == "0" && info["aof_pending_bio_fsync"] == "0"
	})
	r.Kill()
	r.Restart()
	c.check()
}

// snapshots: everything is as it was at the last snapshot. Later saves are lost, and users who
// logged out later are logged in again.
func snapshots(t *testing.T) {
	t.Parallel()
	r := servers.StartRedis(t, servers.RedisOptions{Password: password, Extra: []string{"save 3600 1000000"}})
	b := redisBackend(r)
	n := newNode(t, b.open(t, r.Addr()), unhurried)
	ada, eve, bob := newBrowser(t, "ada"), newBrowser(t, "eve"), newBrowser(t, "bob")
	ada.mustLogin(n)
	eve.mustLogin(n)
	wantAnswer(t, ada.send(n, "POST", "/add"), http.StatusOK, "ada 1 1")
	redisDo(t)(r, "SAVE")
	wantAnswer(t, ada.send(n, "POST", "/add"), http.StatusOK, "ada 2 3")
	eve.mustLogout(n, "/logout")
	bob.mustLogin(n)

	r.Kill()
	r.Restart()
	until(t, "the node reads again", func() bool { return ada.send(n, "GET", "/whoami").status != http.StatusServiceUnavailable })
	wantAnswer(t, ada.send(n, "GET", "/whoami"), http.StatusOK, "ada 1 1")
	wantAnswer(t, eve.send(n, "GET", "/whoami"), http.StatusOK, "eve 0 0")
	wantAnswer(t, bob.send(n, "GET", "/whoami"), http.StatusUnauthorized, "who are you?")
}

// nothing: all users are logged out, and can log in again.
func nothing(t *testing.T) {
	t.Parallel()
	r := servers.StartRedis(t, servers.RedisOptions{Password: password})
	b := redisBackend(r)
	n := newNode(t, b.open(t, r.Addr()), unhurried)
	var users []*browser
	for i := range 5 {
		u := newBrowser(t, fmt.Sprintf("user%d", i))
		u.mustLogin(n)
		users = append(users, u)
	}
	r.Kill()
	r.Restart()
	until(t, "the node reads again", func() bool { return users[0].send(n, "GET", "/whoami").status != http.StatusServiceUnavailable })
	for _, u := range users {
		wantAnswer(t, u.send(n, "GET", "/whoami"), http.StatusUnauthorized, "who are you?")
		u.mustLogin(n)
		u.settled(n)
	}
}

func wantAnswer(t *testing.T, a answer, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("%v, want %d %q", a, status, body)
	}
}

// TestRedisRefused: a Redis that is down refuses connections, and no request waits for it: requests
// get the error response at once, and their pages as soon as it runs again. For a Redis that does
// not answer, requests wait until the deadline.
func TestRedisRefused(t *testing.T) {
	watchGoroutines(t)
	t.Run("redis", func(t *testing.T) {
		r := servers.StartRedis(t, servers.RedisOptions{Password: password, AppendOnly: "always"})
		b := redisBackend(r)
		n := newNode(t, b.open(t, r.Addr()), time.Hour) // no response has waited for the deadline
		ada, eve := newBrowser(t, "ada"), newBrowser(t, "eve")
		ada.mustLogin(n)
		eve.mustLogin(n)
		r.Kill()
		for what, a := range map[string]answer{"reading": ada.look(n), "saving": ada.add(n), "login": newBrowser(t, "new").login(n), "logout": eve.logout(n, "/logout")} {
			if a.status != http.StatusServiceUnavailable {
				t.Errorf("%s while connections are refused: %v, want the error response", what, a)
			}
		}
		r.Restart()
		if a := ada.look(n); a.status != http.StatusOK {
			t.Errorf("reading once it is back: %v", a)
		}
		ada.settled(n)
		eve.settled(n)

		hasty := newNode(t, b.open(t, r.Addr()), time.Second)
		r.Freeze()
		if a := ada.look(hasty); a.status != http.StatusServiceUnavailable {
			t.Errorf("reading from a silent server with a deadline: %v", a)
		}
		r.Thaw()
	})
}
