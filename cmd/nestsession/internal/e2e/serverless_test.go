package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
)

func init() { servers.KeepConnections() }

// group is processes of `nestsession serve --cluster`.
type group struct {
	*testing.T
	folder string
	peers  []string // the addresses for each other
	urls   []string
	nodes  []*exec.Cmd
}

// portsFrom is where groups look for ports: below those of outgoing connections, so that a node finds
// its port free after a restart.
var portsFrom atomic.Int64

func init() { portsFrom.Store(20000 + int64(os.Getpid()%400)*25) }

func ownAddress(t *testing.T) string {
	t.Helper()
	for {
		address := fmt.Sprint("127.0.0.1:", portsFrom.Add(1))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
}

func newGroup(t *testing.T, size int) *group {
	t.Helper()
	c := &group{T: t, folder: t.TempDir(), nodes: make([]*exec.Cmd, size)}
	for range c.nodes {
		c.peers = append(c.peers, ownAddress(t))
		c.urls = append(c.urls, "http://"+ownAddress(t))
	}
	if err := os.WriteFile(c.secret(), []byte(strings.Repeat("a secret of all the nodes ", 2)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.kill(i)
		}
	})
	return c
}

func (c *group) secret() string { return filepath.Join(c.folder, "secret") }

func (c *group) data(i int) string { return filepath.Join(c.folder, fmt.Sprint(i)) }

func (c *group) start(i int, flags ...string) {
	c.Helper()
	node := exec.Command(os.Args[0], append([]string{"serve", "--data", c.data(i), "--address", strings.TrimPrefix(c.urls[i], "http://"),
		"--cluster", strings.Join(c.peers, ","), "--cluster-node", c.peers[i], "--secret-file", c.secret(), "--trusted-proxy", "127.0.0.1"}, flags...)...)
	node.Env = append(os.Environ(), nodeVariable+"=yes")
	node.Stderr = c.Output()
	if err := node.Start(); err != nil {
		c.Fatal(err)
	}
	c.nodes[i] = node
}

// kill ends a process at once, and stop as an operator does.
func (c *group) kill(i int) {
	if c.nodes[i] != nil {
		_ = c.nodes[i].Process.Kill()
		_ = c.nodes[i].Wait() // the error is that it was killed
		c.nodes[i] = nil
	}
}

func (c *group) stop(i int) {
	c.Helper()
	endNode(c.T, c.nodes[i])
	c.nodes[i] = nil
}

// clusterWait is how long a test waits for what should take seconds.
const clusterWait = 3 * time.Minute

// eventually calls do until it returns nil.
func eventually(t *testing.T, what string, do func() error) {
	t.Helper()
	until := time.Now().Add(clusterWait)
	for err := do(); err != nil; err = do() {
		if time.Now().After(until) {
			t.Fatalf("%s: %v", what, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (c *group) await(what string, do func() error) {
	c.Helper()
	eventually(c.T, what, do)
}

// healthy waits until nodes say that they have all data.
func (c *group) healthy(nodes ...int) {
	c.Helper()
	for _, i := range nodes {
		c.await(fmt.Sprint("node ", i, " is healthy"), func() error { return status(http.DefaultClient, c.urls[i]+"/healthz", 200) })
	}
}

func status(client *http.Client, url string, want int) error {
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode != want {
		return fmt.Errorf("GET %s: %s: %.200s", url, r.Status, body)
	}
	return nil
}

// person is a user with a browser.
type person struct {
	name   string
	from   string // the address
	client *http.Client
}

// byName sends cookies to all nodes, as they have one name behind a proxy.
type byName struct{ person *person }

func (b byName) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", b.person.from)
	return http.DefaultTransport.RoundTrip(r)
}

func newPerson(t testing.TB, n int) *person {
	jar, err := cookiejar.New(nil) // knows no ports
	if err != nil {
		t.Fatal(err)
	}
	p := &person{name: fmt.Sprint("kim", n), from: fmt.Sprint("198.51.100.", n)}
	p.client = &http.Client{Jar: jar, Transport: byName{p}, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return p
}

const groupPassword = "correct horse battery"

func (p *person) post(at, path string, want int) error {
	r, err := p.client.PostForm(at+path, url.Values{"username": {p.name}, "password": {groupPassword}, "current_password": {groupPassword}})
	if err != nil {
		return err
	}
	defer r.Body.Close()
	switch r.StatusCode {
	case want:
		return nil
	case http.StatusConflict:
		return errTaken
	}
	return fmt.Errorf("POST %s: %s", path, r.Status)
}

var errTaken = errors.New("POST /register: the name is taken")

// register makes a user's account, or logs in where an earlier attempt has made it and a node that
// was lost could not say so.
func (c *group) register(what string, p *person, node int) {
	c.Helper()
	c.await(what, func() error {
		err := p.post(c.urls[node], "/register", http.StatusCreated)
		if errors.Is(err, errTaken) {
			return p.post(c.urls[node], "/login", http.StatusOK)
		}
		return err
	})
}

// known wants every node to answer that the user is logged in.
func (c *group) known(when string, people []*person, nodes ...int) {
	c.Helper()
	for _, p := range people {
		for _, i := range nodes {
			c.await(fmt.Sprint(when, ": ", p.name, " at node ", i), func() error {
				r, err := p.client.Get(c.urls[i] + "/me")
				if err != nil {
					return err
				}
				defer r.Body.Close()
				if r.StatusCode == http.StatusUnauthorized {
					c.Fatalf("%s: %s is logged out at node %d", when, p.name, i)
				}
				if r.StatusCode != http.StatusOK {
					return fmt.Errorf("GET /me: %s", r.Status)
				}
				return nil
			})
		}
	}
}

// Three processes are one server, without a database. Users and sessions survive one of them that is
// killed and comes back with its disk or without, and all of them that are restarted one by one. At each
// moment of that, users read pages at all nodes, and nobody is logged out.
func TestAClusterSurvivesItsNodes(t *testing.T) {
	t.Parallel()
	c := newGroup(t, 3)
	c.start(0)
	c.start(1)
	c.start(2)
	began := time.Now()
	people := []*person{newPerson(t, 1)}
	c.register("the first user", people[0], 2)
	t.Logf("the first user was logged in %v after the third start", time.Since(began).Round(time.Millisecond))
	c.healthy(0, 1, 2)
	for n := 2; n < 6; n++ {
		p := newPerson(t, n)
		people = append(people, p)
		c.register("a user", p, n%3)
	}
	c.known("at the beginning", people, 0, 1, 2)

	stop := c.read(people)
	c.kill(0)
	c.known("node 0 is killed", people, 1, 2)
	late := newPerson(t, 6)
	c.register("a user while a node is down", late, 1)
	people = append(people, late)
	c.start(0)
	c.healthy(0)
	c.known("node 0 is back", people, 0, 1, 2)

	c.kill(1)
	if err := os.RemoveAll(c.data(1)); err != nil {
		t.Fatal(err)
	}
	c.start(1)
	c.healthy(1)
	c.known("node 1 has lost its disk", people, 0, 1, 2)
	// The others may go: what node 1 has is a copy of everything.
	c.kill(2)
	c.known("nodes 0 and 1 are left", people, 0, 1)
	c.start(2)
	c.healthy(0, 1, 2)

	for i := range c.nodes {
		c.stop(i)
		c.known(fmt.Sprint("node ", i, " is stopped"), people, (i+1)%3, (i+2)%3)
		c.start(i)
		c.healthy(i)
	}
	c.known("all were restarted", people, 0, 1, 2)
	stop()
	for _, p := range people { // the accounts, and the names
		fresh := newPerson(t, 50)
		fresh.name = p.name
		c.await("the account "+p.name, func() error { return fresh.post(c.urls[0], "/login", http.StatusOK) })
		c.await("the name "+p.name, func() error { return fresh.post(c.urls[1], "/register", http.StatusConflict) })
	}
	c.everywhere(people[0])
	c.operators(people[1])
}

// read lets each user read at all nodes until stop, and wants that nobody is told to be logged out.
func (c *group) read(people []*person) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var ok atomic.Int64
	for _, p := range people {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				r, err := p.client.Get(c.urls[n%len(c.urls)] + "/me")
				if err == nil {
					_ = r.Body.Close()
					switch r.StatusCode {
					case http.StatusOK:
						ok.Add(1)
					case http.StatusServiceUnavailable:
					default:
						c.Errorf("under load: %s is answered %s at node %d", p.name, r.Status, n%3)
						return
					}
				}
				wait(ctx)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
		c.Logf("%d pages read meanwhile", ok.Load())
	}
}

// everywhere logs a user out everywhere else at one node, which a stream at another learns.
func (c *group) everywhere(p *person) {
	c.Helper()
	other := newPerson(c.T, 60)
	other.name = p.name
	c.await("a second login", func() error { return other.post(c.urls[1], "/login", http.StatusOK) })
	stream, err := other.client.Get(c.urls[2] + "/events")
	if err != nil || stream.StatusCode != http.StatusOK {
		c.Fatalf("a stream: %v, %v", stream, err)
	}
	defer stream.Body.Close()
	c.await("logging out everywhere else", func() error { return p.post(c.urls[0], "/sessions/logout-others", http.StatusOK) })
	late := time.AfterFunc(clusterWait, func() { _ = stream.Body.Close() })
	defer late.Stop()
	if text, _ := io.ReadAll(stream.Body); !strings.Contains(string(text), "session-end") {
		c.Errorf("the stream at another node was told %q", text)
	}
	for i := range c.urls {
		c.await("the other login has ended", func() error { return status(other.client, c.urls[i]+"/me", http.StatusUnauthorized) })
	}
	c.known("elsewhere logged out", []*person{p}, 0, 1, 2)
}

// operators: the commands use the node that runs in a data folder, and what they do counts at all.
func (c *group) operators(p *person) {
	c.Helper()
	for _, command := range []string{"sessions count", "accounts list", "accounts disable " + p.name} {
		cmd := exec.Command(os.Args[0], append(strings.Fields(command), "--data", c.data(2))...)
		cmd.Env = append(os.Environ(), nodeVariable+"=yes")
		out, err := cmd.CombinedOutput()
		if err != nil {
			c.Errorf("%s: %v: %s", command, err, out)
		}
		if command == "accounts list" && strings.Count(string(out), "\n") != 6 {
			c.Errorf("the accounts are %s", out)
		}
	}
	c.await("a disabled account", func() error { return status(p.client, c.urls[0]+"/me", http.StatusUnauthorized) })
}

// Without the majority a node answers 503, whatever it is asked, and answers again by itself when the
// majority is back. A node that knows another secret does not become part of a cluster.
func TestAClusterWithoutItsMajority(t *testing.T) {
	t.Parallel()
	c := newGroup(t, 3)
	c.start(0)
	c.start(1)
	c.start(2)
	kim := newPerson(t, 1)
	c.register("the first user", kim, 0)
	c.healthy(0, 1, 2)
	c.kill(1)
	c.kill(2)
	stranger := newPerson(t, 2)
	for _, path := range []string{"/login", "/register", "/me", "/auth", "/healthz"} {
		for _, p := range []*person{stranger, kim} {
			c.await("without the majority", func() error { return status(p.client, c.urls[0]+path, http.StatusServiceUnavailable) })
		}
	}
	for range 20 {
		if err := status(kim.client, c.urls[0]+"/me", http.StatusServiceUnavailable); err != nil {
			t.Errorf("later: %v", err)
		}
	}
	if err := stranger.post(c.urls[0], "/login", http.StatusServiceUnavailable); err != nil {
		t.Error(err)
	}

	// In place of node 1 comes one that does not know the secret.
	foreign := filepath.Join(c.folder, "another secret")
	if err := os.WriteFile(foreign, []byte("a secret of somebody else entirely"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(c.data(1)); err != nil {
		t.Fatal(err)
	}
	c.start(1, "--secret-file", foreign)
	for range 20 {
		if err := status(kim.client, c.urls[0]+"/me", http.StatusServiceUnavailable); err != nil {
			t.Errorf("a stranger in place of the majority: %v", err)
		}
		<-time.After(100 * time.Millisecond)
	}
	c.kill(1)
	if err := os.RemoveAll(c.data(1)); err != nil {
		t.Fatal(err)
	}
	// Node 1 has lost its disk, so it does not decide with node 0 alone what the data are.
	c.start(2)
	c.known("the majority is back", []*person{kim}, 0, 2)
	c.start(1)
	c.healthy(0, 1, 2)
	c.known("all are back", []*person{kim}, 0, 1, 2)
}

// A node that has lost its disk does not make a majority with one that has missed changes: the two say
// 503 until the third is back, which has them.
func TestANodeWithoutItsDiskDoesNotDecide(t *testing.T) {
	t.Parallel()
	c := newGroup(t, 3)
	for i := range c.nodes {
		c.start(i)
	}
	kim := newPerson(t, 1)
	c.register("the first user", kim, 0)
	c.healthy(0, 1, 2)
	c.kill(2)
	lee := newPerson(t, 2)
	c.register("a user whom node 2 does not know", lee, 0)
	c.known("node 2 is down", []*person{kim, lee}, 0, 1)

	c.kill(0)
	c.kill(1)
	if err := os.RemoveAll(c.data(1)); err != nil {
		t.Fatal(err)
	}
	c.start(2)
	c.start(1)
	for range 100 {
		for i := 1; i < 3; i++ {
			for _, p := range []*person{kim, lee} {
				r, err := p.client.Get(c.urls[i] + "/me")
				if err != nil {
					continue // it has not started yet
				}
				if r.StatusCode != http.StatusServiceUnavailable {
					t.Fatalf("without node 0, %s is answered %s at node %d", p.name, r.Status, i)
				}
				_ = r.Body.Close()
			}
		}
		<-time.After(100 * time.Millisecond)
	}
	c.start(0)
	c.healthy(0, 1, 2)
	c.known("node 0 is back", []*person{kim, lee}, 0, 1, 2)
}

// Of five nodes two may be away at the same time, and one of the others may have lost its disk before.
func TestLongFiveNodes(t *testing.T) {
	t.Parallel()
	c := newGroup(t, 5)
	for i := range c.nodes {
		c.start(i, "--cluster-sync")
	}
	people := []*person{newPerson(t, 1)}
	c.register("the first user", people[0], 2)
	c.healthy(0, 1, 2, 3, 4)
	add := func(when string, node int) {
		p := newPerson(t, len(people)+1)
		c.register(when, p, node)
		people = append(people, p)
	}
	add("all are there", 4)

	stop := c.read(people)
	c.kill(0)
	c.kill(1)
	add("two are killed", 2)
	c.known("two are killed", people, 2, 3, 4)
	if err := os.RemoveAll(c.data(1)); err != nil {
		t.Fatal(err)
	}
	c.start(1, "--cluster-sync")
	c.healthy(1)
	c.known("one is back without its disk, one is still away", people, 1, 2, 3, 4)
	add("one is still away", 1)

	c.kill(2)
	c.known("another one is killed", people, 1, 3, 4)
	c.kill(3)
	for _, i := range []int{1, 4} {
		c.await("two of five", func() error { return status(people[0].client, c.urls[i]+"/me", http.StatusServiceUnavailable) })
	}
	for _, i := range []int{0, 2, 3} {
		c.start(i, "--cluster-sync")
	}
	c.healthy(0, 1, 2, 3, 4)
	c.known("all are back", people, 0, 1, 2, 3, 4)
	stop()
}

// What cannot be a cluster is refused at the start, with what to do.
func TestAClusterThatIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	secret := filepath.Join(folder, "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("secret ", 8)), 0o600); err != nil {
		t.Fatal(err)
	}
	const three = "127.0.0.1:7700,127.0.0.1:7701,127.0.0.1:7702"
	for _, c := range []struct{ flags, says string }{
		{"--cluster 127.0.0.1:7700,127.0.0.1:7701 --cluster-node 127.0.0.1:7700 --secret-file " + secret, "3 or 5 nodes"},
		{"--cluster 127.0.0.1:7700,127.0.0.1:7701,127.0.0.1:7701 --cluster-node 127.0.0.1:7700 --secret-file " + secret, "twice"},
		{"--cluster " + three + " --secret-file " + secret, "--cluster-node: name the address"},
		{"--cluster " + three + " --cluster-node 127.0.0.1:7703 --secret-file " + secret, "not one of the nodes"},
		{"--cluster " + three + " --cluster-node 127.0.0.1:7700", "nestsession secret new --write FILE"},
		{"--cluster " + three + " --cluster-node 127.0.0.1:7700 --store redis://localhost --secret-file " + secret, "leave out --store and --users"},
		{"--cluster " + three + " --cluster-node 127.0.0.1:7700 --express --secret-file " + secret, "--express"},
		{"--cluster-node 127.0.0.1:7700", "need --cluster"},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], append(strings.Fields(c.flags), "--data", filepath.Join(folder, "data"))...)
		cmd.Args = append([]string{os.Args[0], "serve"}, cmd.Args[1:]...)
		cmd.Env = append(os.Environ(), nodeVariable+"=yes")
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), c.says) {
			t.Errorf("%s: %v: %s; want an error that says %q", c.flags, err, out, c.says)
		}
	}
}
