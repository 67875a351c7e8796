package e2e

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
)

// Three servers that share the users' database allow together what one allows, also when one of
// them is killed in the middle and started again.
func TestThreeServersAllowNoMoreGuessesThanOne(t *testing.T) {
	t.Parallel()
	guessAtThree(t, map[string]places{"Redis and PostgreSQL": {redisStore, postgresUsers}})
}

func TestLongThreeServersAllowNoMoreGuessesThanOne(t *testing.T) {
	t.Parallel()
	guessAtThree(t, map[string]places{
		"PostgreSQL":        {postgresStore, postgresUsers},
		"Redis and MariaDB": {redisStore, mariaUsers},
		"Redis and SQLite":  {redisStore, func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "users.db") }},
	})
}

func guessAtThree(t *testing.T, on map[string]places) {
	for name, at := range on {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, at.store(t), at.users(t))
			const password = "correct horse battery"
			if status, _ := c.post(0, "/register", "", url.Values{"username": {"kim"}, "password": {password}}); status != http.StatusCreated {
				t.Fatalf("registering: status %d", status)
			}
			began := time.Now()
			var guesses, refused, lost atomic.Int64
			var wg sync.WaitGroup
			for i := range c.nodes {
				for range 4 {
					wg.Go(func() {
						for range 5 {
							switch status := c.guess(i); status {
							case http.StatusUnauthorized:
								guesses.Add(1)
							case http.StatusTooManyRequests, http.StatusServiceUnavailable:
								refused.Add(1)
							case 0:
								lost.Add(1) // it was killed
							default:
								t.Errorf("a guess is answered %d", status)
							}
						}
					})
				}
			}
			<-time.After(rand.N(200 * time.Millisecond))
			if err := c.nodes[0].Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = c.nodes[0].Wait() // the error is that it was killed
			wg.Wait()
			c.start(0)
			for i := range c.nodes { // places of the killed server are waited for, and not given again
				for range 2 {
					if c.guess(i) == http.StatusUnauthorized {
						guesses.Add(1)
					}
				}
			}
			t.Logf("%d guesses, %d refused, %d lost", guesses.Load(), refused.Load(), lost.Load())
			if n, most := guesses.Load(), 5+int64(time.Since(began)/time.Minute); n > most {
				t.Errorf("three servers allow %d guesses, want %d at most", n, most)
			}
			for i := range c.nodes {
				if status, _ := c.login(i, password); status != http.StatusOK {
					t.Errorf("the user elsewhere is answered %d by server %d", status, i)
				}
			}
		})
	}
}

// guess sends a wrong password, always from the same address.
func (c *cluster) guess(node int) (status int) {
	c.Helper()
	status, _ = c.postFrom("198.51.100.7", node, "/login", "", url.Values{"username": {"kim"}, "password": {"a wrong guess"}})
	return status
}

// When the users' database goes away, nobody is let in, and the answer is 503. When it is back all
// is as before.
func TestTheUsersDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgres(t, servers.PostgresOptions{})
	c := startCluster(t, redisStore(t), p.NewDatabase(t))
	const password = "correct horse battery"
	status, sid := c.post(0, "/register", "", url.Values{"username": {"kim"}, "password": {password}})
	if status != http.StatusCreated {
		t.Fatalf("registering: status %d", status)
	}
	p.Freeze() // it accepts everything and answers nothing
	if status, _ := c.login(1, password); status != http.StatusServiceUnavailable {
		t.Errorf("while the database does not answer, a login is answered %d, want 503", status)
	}
	p.Thaw()
	p.Kill()
	for i := range c.nodes {
		for what, form := range map[string]url.Values{"right": {"username": {"kim"}, "password": {password}}, "wrong": {"username": {"kim"}, "password": {"a wrong guess"}}} {
			if status, _ := c.post(i, "/login", "", form); status != http.StatusServiceUnavailable {
				t.Errorf("server %d: a %s password is answered %d, want 503", i, what, status)
			}
		}
		if status, _ := c.post(i, "/register", "", url.Values{"username": {"lee"}, "password": {password}}); status != http.StatusServiceUnavailable {
			t.Errorf("server %d: a registration is answered %d, want 503", i, status)
		}
		response := c.get(i, "/me", sid)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("server %d: /me is answered %d, want 503: it is not known whether the account is still there", i, response.StatusCode)
		}
	}
	p.Restart()
	for i := range c.nodes {
		for end := time.Now().Add(maxWait); ; {
			if status, _ := c.login(i, password); status == http.StatusOK {
				break
			}
			if time.Now().After(end) {
				t.Fatal("nobody can log in when the database is back")
			}
		}
		response := c.get(i, "/me", sid)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("server %d: the session from before is answered %d", i, response.StatusCode)
		}
	}
}
