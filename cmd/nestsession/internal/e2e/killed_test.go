package e2e

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to read the users' file

	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/internal/servers"
)

// Three servers on one store answer requests, and one is killed at some moment of a change of the
// password. Afterwards either the old password is valid and nothing has changed, or the new one is,
// and no session of the old one is logged in anywhere.
func TestAPasswordChangeSurvivesAKilledServer(t *testing.T) {
	t.Parallel()
	changePasswordsWhileKilled(t, map[string]places{"PostgreSQL": {postgresStore, postgresUsers}})
}

// TestLongAPasswordChangeSurvivesAKilledServer: on the other stores, whose 32 changes hash for a minute.
func TestLongAPasswordChangeSurvivesAKilledServer(t *testing.T) {
	t.Parallel()
	file := func(*testing.T) string { return "" }
	changePasswordsWhileKilled(t, map[string]places{
		"SQLite":               {file, file},
		"Redis":                {redisStore, file},
		"Redis and PostgreSQL": {redisStore, postgresUsers},
		"Redis and MariaDB":    {redisStore, mariaUsers},
	})
}

// places are where servers keep the sessions and the users.
type places struct{ store, users func(*testing.T) string }

func changePasswordsWhileKilled(t *testing.T, on map[string]places) {
	for name, at := range on {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, at.store(t), at.users(t))
			c.load()
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			chance := rand.New(rand.NewPCG(seed, 0))
			passwords := [2]string{"correct horse battery", "battery staple pile"}
			if status, _ := c.post(0, "/register", "", url.Values{"username": {"kim"}, "password": {passwords[0]}}); status != http.StatusCreated {
				t.Fatalf("registering: status %d", status)
			}
			changed := 0
			for round := range 8 {
				if c.round(round, chance, passwords) {
					changed++
					passwords[0], passwords[1] = passwords[1], passwords[0]
				}
			}
			t.Logf("%d of 8 changes came through", changed)
			if changed < 4 {
				t.Errorf("%d changes came through, though 4 servers were killed right after the change", changed)
			}
		})
	}
}

func redisStore(t *testing.T) string {
	r := servers.SharedRedis(t)
	return "redis://:" + url.QueryEscape(r.Password()) + "@" + r.Addr() + "/0?prefix=" + url.QueryEscape(t.Name()) + ":"
}

func postgresStore(t *testing.T) string {
	return servers.SharedPostgres(t).NewDatabase(t) + "&create=true"
}

func postgresUsers(t *testing.T) string { return servers.SharedPostgres(t).NewDatabase(t) }

func mariaUsers(t *testing.T) string {
	m := servers.SharedMariaDB(t)
	dsn := m.NewDatabase(t)
	return m.URL(dsn[strings.LastIndexByte(dsn, '/')+1:])
}

// cluster is three servers on one store, and the database of their users: a file in the folder that
// they share, or one of a server, and then each has a folder of its own as on another machine.
type cluster struct {
	*testing.T
	folder, store, usersURL string

	users   *sql.DB
	clients int
	took    time.Duration // until a change was written, the last time

	mu    sync.Mutex
	nodes [3]*exec.Cmd
	urls  [3]string
}

func startCluster(t *testing.T, store, users string) *cluster {
	t.Helper()
	c := &cluster{T: t, folder: t.TempDir(), store: store, usersURL: users}
	if users != "" {
		if err := os.WriteFile(c.secret(), []byte(strings.Repeat("a secret of all three servers ", 2)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i := range c.nodes {
		if users == "" {
			c.start(i)
		} else {
			wg.Go(func() { c.start(i) }) // all make the tables at once
		}
	}
	wg.Wait()
	for i := range c.nodes {
		if c.nodes[i] == nil {
			t.Fatal("not all servers have started")
		}
		t.Cleanup(func() { endNode(t, c.nodes[i]) })
	}
	var err error
	if users == "" {
		c.users, err = sql.Open("sqlite", filepath.Join(c.folder, "users.db")+"?_pragma=busy_timeout(5000)")
	} else {
		var target *storeurl.Target
		if target, err = storeurl.ParseUsers(users); err == nil {
			c.users, err = stores.OpenUsers(t.Context(), target)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.users.Close() })
	return c
}

func (c *cluster) secret() string { return filepath.Join(c.folder, "common secret") }

func (c *cluster) start(i int) {
	c.Helper()
	folder, flags := c.folder, []string{"--trusted-proxy=127.0.0.1"}
	if c.usersURL != "" {
		folder = filepath.Join(folder, fmt.Sprint(i))
		flags = append(flags, "--users="+c.usersURL, "--secret-file="+c.secret())
	}
	node, url := launchNode(c.T, folder, c.store, flags...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[i], c.urls[i] = node, url
}

func (c *cluster) url(i int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.urls[i]
}

// load guesses at the name and reads pages, on all servers, until the test ends.
func (c *cluster) load() {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range c.nodes {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				body := url.Values{"username": {"kim"}, "password": {"a wrong guess"}}
				r, _ := http.NewRequestWithContext(ctx, http.MethodPost, c.url(i)+"/login", strings.NewReader(body.Encode()))
				if n%4 != 0 {
					r, _ = http.NewRequestWithContext(ctx, http.MethodGet, c.url(i)+"/login", nil)
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("X-Forwarded-For", "198.51.100.1")
				if response, err := http.DefaultClient.Do(r); err == nil {
					_ = response.Body.Close()
				}
				select { // else the load would slow down everything, and not only this test
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	c.Cleanup(func() { cancel(); wg.Wait() })
}

// post sends a form from a new address, and returns the session's cookie in the response. Status 0
// means no response.
func (c *cluster) post(node int, path, cookie string, form url.Values) (status int, sid string) {
	c.mu.Lock()
	c.clients++
	from := fmt.Sprintf("203.0.%d.%d", 113+c.clients>>8, c.clients&0xff)
	c.mu.Unlock()
	return c.postFrom(from, node, path, cookie, form)
}

func (c *cluster) postFrom(from string, node int, path, cookie string, form url.Values) (status int, sid string) {
	r, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.url(node)+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.Error(err)
		return 0, ""
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Forwarded-For", from)
	r.Header.Set("Cookie", cookie)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	for _, k := range response.Cookies() {
		sid = k.Name + "=" + k.Value
	}
	return response.StatusCode, sid
}

func (c *cluster) login(node int, password string) (status int, sid string) {
	return c.post(node, "/login", "", url.Values{"username": {"kim"}, "password": {password}})
}

// get sends a request with a cookie.
func (c *cluster) get(node int, path, cookie string) *http.Response {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), http.MethodGet, c.url(node)+path, nil)
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("Cookie", cookie)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	return response
}

func (c *cluster) generation() (g int64) {
	c.Helper()
	table := "users"
	if c.usersURL != "" {
		table = "nest_users"
	}
	if err := c.users.QueryRow(`SELECT generation FROM ` + table + ` WHERE name = 'kim'`).Scan(&g); err != nil {
		c.Fatal(err)
	}
	return g
}

// round kills a server during a change of the password from the first to the second, and
// reports whether it is changed.
func (c *cluster) round(n int, chance *rand.Rand, passwords [2]string) (changed bool) {
	c.Helper()
	victim := n % len(c.nodes)
	var sids [3]string
	for i := range sids {
		var status int
		if status, sids[i] = c.login(i, passwords[0]); status != http.StatusOK {
			c.Fatalf("round %d: logging in: status %d", n, status)
		}
	}
	elsewhere := (victim + 1) % len(c.nodes)
	stream := c.get(elsewhere, "/events", sids[elsewhere])
	defer stream.Body.Close()
	before := c.generation()
	answered, began := make(chan int, 1), time.Now()
	go func() {
		status, _ := c.post(victim, "/password", sids[victim], url.Values{"current_password": {passwords[0]}, "new_password": {passwords[1]}})
		answered <- status
	}()
	if n%2 == 0 { // as soon as the change is written, and hardly anything else
		for c.generation() == before {
			if time.Since(began) > maxWait {
				c.Fatalf("round %d: the password was not changed", n)
			}
		}
		c.took = time.Since(began)
	} else {
		<-time.After(time.Duration(chance.Int64N(int64(c.took * 3 / 2))))
	}
	if err := c.nodes[victim].Process.Kill(); err != nil {
		c.Fatal(err)
	}
	_ = c.nodes[victim].Wait() // the error is that it was killed
	status := <-answered
	c.start(victim)

	old, _ := c.login(elsewhere, passwords[0])
	fresh, _ := c.login(elsewhere, passwords[1])
	changed = fresh == http.StatusOK
	if changed == (old == http.StatusOK) || status == http.StatusOK && !changed {
		c.Errorf("round %d: the old password is answered %d and the new one %d, and the change %d", n, old, fresh, status)
	}
	for i := range c.nodes {
		for j, sid := range sids {
			response := c.get(i, "/me", sid)
			_ = response.Body.Close()
			if in := response.StatusCode == http.StatusOK; in == changed {
				c.Errorf("round %d: the session of server %d is logged in on server %d: %v; the password is changed: %v", n, j, i, in, changed)
			}
		}
	}
	if changed {
		c.wantEnd(n, stream)
	}
	return changed
}

// wantEnd expects a stream to report that its session has ended.
func (c *cluster) wantEnd(n int, stream *http.Response) {
	c.Helper()
	late := time.AfterFunc(maxWait, func() { _ = stream.Body.Close() })
	defer late.Stop()
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		if lines.Text() == "event: session-end" {
			return
		}
	}
	c.Errorf("round %d: the stream on another server was not notified of the end", n)
}
