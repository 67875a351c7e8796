//go:build linux

package gateway_test

import (
	"flag"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
)

var (
	turns    = flag.Int("turns", 2, "how often each way has its turn")
	requests = flag.Int("requests", 200, "the requests of a turn")
	ends     = flag.Int("ends", 8, "how many streams end with their sessions, for each store")
)

// clients is how many requests are under way at once.
const clients = 8

// way is one of the two ways to an application, and what its turns have cost.
type way struct {
	name    string
	gate    string // the address
	pids    []int  // whose CPU time counts
	clients []*http.Client
	took    []time.Duration // each request
	rates   []float64       // requests per second of each turn
	cpu     time.Duration
}

func (w *way) turn(t *testing.T) {
	t.Helper()
	before, began := cpu(t, w.pids...), time.Now()
	var all sync.WaitGroup
	took := make([][]time.Duration, clients)
	for i, c := range w.clients {
		all.Go(func() {
			for range *requests / clients {
				sent := time.Now()
				status, body, err := ask(c, "GET", appURL+"/", "")
				took[i] = append(took[i], time.Since(sent))
				if err != nil || status != http.StatusOK || body != page {
					t.Errorf("%s: %d %s (%v)", w.name, status, body, err)
					return
				}
			}
		})
	}
	all.Wait()
	w.rates = append(w.rates, float64(*requests)/time.Since(began).Seconds())
	w.cpu += cpu(t, w.pids...) - before
	w.took = append(w.took, slices.Concat(took...)...)
}

// TestTwoWays measures a request through nginx, which asks the session server, and through nestsession proxy.
func TestTwoWays(t *testing.T) {
	s := startSite(t, redisURL(t))
	text, err := os.ReadFile("../../examples/gateway/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	nginx := servers.StartProxy(t, servers.Nginx, map[string]string{
		"nginx.conf": strings.NewReplacer("127.0.0.1:8080", s.sessions, "127.0.0.1:3000", s.application).Replace(string(text)),
	})
	ways := []*way{
		{name: "nginx and nestsession serve", gate: nginx.Addr(), pids: []int{nginx.PID(), s.sessionsPID}},
		{name: "nestsession proxy", gate: s.proxy, pids: []int{s.proxyPID}},
	}
	must(t, s.visitor(t, s.proxy), 303, "POST", loginURL+"/register", account)
	for _, w := range ways {
		s.check(t, w.gate)
		for range clients {
			c := s.visitor(t, w.gate)
			must(t, c, 303, "POST", loginURL+"/login", account)
			w.clients = append(w.clients, c)
		}
		w.turn(t) // warms up
		w.took, w.rates, w.cpu = nil, nil, 0
	}
	at := load(t)
	for i := range *turns {
		for j := range ways {
			ways[(i+j)%len(ways)].turn(t) // each way is as often first as second
		}
	}
	t.Logf("%d turns of %d requests, %d at once, %d cores, load before %s, after %s", *turns, *requests, clients, runtime.NumCPU(), at, load(t))
	for _, w := range ways {
		slices.Sort(w.rates)
		t.Logf("%-30s CPU a request %v, requests per second %.0f (median turn), %v at p50, %v at p99", w.name,
			(w.cpu / time.Duration(len(w.took))).Round(time.Microsecond), w.rates[len(w.rates)/2], quantile(w.took, 0.5), quantile(w.took, 0.99))
	}
}

func quantile(took []time.Duration, q float64) time.Duration {
	slices.Sort(took)
	return took[int(q*float64(len(took)-1))].Round(10 * time.Microsecond)
}

// TestStreamsEnd measures from the moment at which a logout is sent to one node until the stream through
// the other has ended at its client.
func TestStreamsEnd(t *testing.T) {
	for name, store := range map[string]func(*testing.T) string{
		"Redis":      redisURL,
		"PostgreSQL": func(t *testing.T) string { return servers.SharedPostgres(t).NewDatabase(t) + "&create=true" },
	} {
		t.Run(name, func(t *testing.T) {
			s := startSite(t, store(t))
			must(t, s.visitor(t, s.proxy), 303, "POST", loginURL+"/register", account)
			s.check(t, s.proxy)
			visitors := make([]*http.Client, *ends)
			var all sync.WaitGroup
			places := make(chan struct{}, 4)
			for i := range visitors {
				visitors[i] = s.visitor(t, s.proxy)
				all.Go(func() {
					places <- struct{}{}
					defer func() { <-places }()
					if status, body, err := ask(visitors[i], "POST", loginURL+"/login", account); status != 303 || err != nil {
						t.Errorf("the login: %d %s (%v)", status, body, err)
					}
				})
			}
			all.Wait()
			if t.Failed() {
				return
			}
			at := load(t)
			var took, afterwards []time.Duration
			for _, c := range visitors {
				whole, after := endStream(t, c)
				took, afterwards = append(took, whole), append(afterwards, after)
			}
			t.Logf("%d ends, %d cores, load before %s, after %s", len(took), runtime.NumCPU(), at, load(t))
			t.Logf("from the sending of the logout: %v at p99, %v at p50, %v at most", quantile(took, 0.99), quantile(took, 0.5), took[len(took)-1])
			t.Logf("from its answer: %v at p99, %v at p50, %v at most", quantile(afterwards, 0.99), quantile(afterwards, 0.5), afterwards[len(afterwards)-1])
		})
	}
}

// endStream logs out while a stream is open, and returns how long it went on: from the sending of the
// logout, and from its answer (0 if the stream ended before).
func endStream(t *testing.T, c *http.Client) (fromSending, fromAnswer time.Duration) {
	t.Helper()
	stream, err := c.Get(appURL + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if stream.StatusCode != http.StatusOK {
		t.Fatalf("the stream: %s", stream.Status)
	}
	ended := make(chan time.Time, 1)
	go func() {
		_, _ = io.Copy(io.Discard, stream.Body) // it ends as an answer that is cut off
		ended <- time.Now()
	}()
	sent := time.Now()
	must(t, c, 303, "POST", loginURL+"/logout", "")
	answered := time.Now()
	select {
	case at := <-ended:
		return at.Sub(sent), max(0, at.Sub(answered))
	case <-time.After(time.Minute):
		t.Fatal("the stream goes on a minute after the logout")
		panic("not reached")
	}
}
