package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
)

// patience is many times what a busy machine needs.
const patience = 3 * time.Minute

// collector keeps what is sent to it over OTLP. Texts are readable in its form, protobuf.
type collector struct {
	mu   sync.Mutex
	sent map[string][]byte // by path
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	b, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[r.URL.Path] = append(c.sent[r.URL.Path], b...)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *collector) at(path string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.sent[path])
}

// launchObserved starts a server with /metrics, and returns the addresses of both.
func launchObserved(t *testing.T, otlp string, flags ...string) (node *exec.Cmd, site, metrics string) {
	t.Helper()
	node = exec.Command(os.Args[0], append([]string{"serve", "--data", t.TempDir(), "--address", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, flags...)...)
	node.Env = append(os.Environ(), nodeVariable+"=yes", "OTEL_EXPORTER_OTLP_ENDPOINT="+otlp, "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_METRIC_EXPORT_INTERVAL=300")
	node.Stderr = t.Output()
	out, err := node.StdoutPipe()
	if err == nil {
		err = node.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endNode(t, node) })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		_, at, found := strings.Cut(lines.Text(), "http://")
		switch {
		case !found:
		case site == "":
			site = "http://" + strings.Fields(at)[0]
		default:
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return node, site, "http://" + strings.Fields(at)[0]
		}
	}
	t.Fatal("the server did not say where its metrics are")
	return nil, "", ""
}

// traffic is a user who logs in, looks around and logs out, and others who come with wrong
// cookies.
type traffic struct {
	*testing.T
	site string

	mu      sync.Mutex
	secrets map[string]bool
}

func (g *traffic) keep(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.secrets[text] = true
}

const wordOfPass = "correct horse battery"

func (g *traffic) round(name string) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.Error(err)
		return
	}
	client := &http.Client{Jar: jar, Timeout: time.Minute}
	send := func(method, path string, form url.Values, headers ...string) {
		r, err := http.NewRequestWithContext(g.Context(), method, g.site+path, strings.NewReader(form.Encode()))
		if err != nil {
			g.Error(err)
			return
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		answer, err := client.Do(r)
		if err != nil {
			if g.Context().Err() == nil {
				g.Errorf("%s %s: %v", method, path, err)
			}
			return
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode >= 500 {
			g.Errorf("%s %s: %s", method, path, answer.Status)
		}
		u, _ := url.Parse(g.site)
		for _, c := range jar.Cookies(u) {
			g.keep(c.Value)
			whole, err := url.QueryUnescape(c.Value)
			if id, signature, signed := strings.Cut(strings.TrimPrefix(whole, "s:"), "."); err == nil && signed {
				g.keep(id)
				g.keep(signature)
			}
		}
	}
	account := url.Values{"username": {name}, "password": {wordOfPass}}
	send("POST", "/register", account)
	send("POST", "/login", account)
	for range 5 {
		send("GET", "/me?token=a-secret-of-the-query", nil)
	}
	send("GET", "/sessions", nil)
	send("POST", "/logout", url.Values{})
	send("GET", "/me", nil, "Cookie", "sid=s%3Anonsense.nonsense")
}

// follow keeps an event stream open until ctx ends.
func (g *traffic) follow(ctx context.Context) {
	jar, _ := cookiejar.New(nil) // it never fails without options
	client := &http.Client{Jar: jar}
	answer, err := client.PostForm(g.site+"/register", url.Values{"username": {"follower"}, "password": {wordOfPass}})
	if err != nil {
		g.Error(err)
		return
	}
	answer.Body.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.site+"/events", nil)
	if err != nil {
		g.Error(err)
		return
	}
	if answer, err = client.Do(r); err != nil {
		g.Error(err)
		return
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		g.Errorf("the stream: %s", answer.Status)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
}

// TestTheDashboardShowsTraffic: each query of the dashboard returns data in a real Prometheus
// that scrapes a server with real traffic. What the server exports holds no secret.
func TestTheDashboardShowsTraffic(t *testing.T) {
	t.Parallel()
	otlp := &collector{sent: map[string][]byte{}}
	receiver := httptest.NewServer(otlp)
	t.Cleanup(receiver.Close) // after the server's end
	_, site, metrics := launchObserved(t, receiver.URL, "--near-cache", "1MiB", "--bind-devices")
	at, err := url.Parse(metrics)
	if err != nil {
		t.Fatal(err)
	}
	prometheus := servers.StartPrometheus(t, fmt.Sprintf(`
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs: [{job_name: login, static_configs: [{targets: [%q]}]}]
`, at.Host))

	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	g := &traffic{T: t, site: site, secrets: map[string]bool{wordOfPass: true, "a-secret-of-the-query": true}}
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	work.Go(func() { g.follow(ctx) })
	work.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			name := "visitor" + strconv.Itoa(i)
			g.keep(name)
			g.round(name)
			wait(ctx)
		}
	})

	for _, panel := range panels(t) {
		for _, target := range panel.Targets {
			for !hasData(ctx, t, prometheus.Addr(), target.Expr) {
				if wait(ctx); ctx.Err() != nil {
					t.Fatalf("panel %q has no data: %s", panel.Title, target.Expr)
				}
			}
		}
	}
	for len(otlp.at("/v1/traces")) == 0 || len(otlp.at("/v1/metrics")) == 0 {
		if wait(ctx); ctx.Err() != nil {
			t.Fatal("nothing came over OTLP")
		}
	}
	text := fetch(ctx, t, metrics)
	documented(t, string(text))
	for _, part := range []string{"session.load", "store.update", "session.id", "nestsession.loads"} {
		if !bytes.Contains(otlp.at("/v1/traces"), []byte(part)) && !bytes.Contains(otlp.at("/v1/metrics"), []byte(part)) {
			t.Errorf("nothing with %s came over OTLP", part)
		}
	}
	all := bytes.Join([][]byte{text, otlp.at("/v1/traces"), otlp.at("/v1/metrics")}, nil)
	g.mu.Lock()
	defer g.mu.Unlock()
	for secret := range g.secrets {
		if len(secret) > 3 && bytes.Contains(all, []byte(secret)) {
			t.Errorf("%q is exported", secret)
		}
	}
}

// wait waits a little before the next look.
func wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}

type panel struct {
	Title   string
	Targets []struct{ Expr string }
}

func panels(t *testing.T) []panel {
	t.Helper()
	text, err := os.ReadFile("../../../../examples/grafana/nestsession.json")
	var dashboard struct{ Panels []panel }
	if err == nil {
		err = json.Unmarshal(text, &dashboard)
	}
	if err != nil || len(dashboard.Panels) == 0 {
		t.Fatalf("%d panels: %v", len(dashboard.Panels), err)
	}
	return dashboard.Panels
}

// hasData reports whether a query, with what Grafana puts in, returns a number.
func hasData(ctx context.Context, t *testing.T, prometheus, query string) bool {
	t.Helper()
	query = strings.NewReplacer("$__rate_interval", "1m", "$job", ".+").Replace(query)
	var answer struct {
		Status, Error string
		Data          struct{ Result []struct{ Value [2]any } }
	}
	text := fetch(ctx, t, "http://"+prometheus+"/api/v1/query?query="+url.QueryEscape(query))
	if err := json.Unmarshal(text, &answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %s%s: %v", query, answer.Status, answer.Error, err)
	}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		if n, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(n) {
			return true
		}
	}
	return false
}

func fetch(ctx context.Context, t *testing.T, at string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// documented fails if docs/telemetry.md does not name each metric of the sessions.
func documented(t *testing.T, metrics string) {
	t.Helper()
	page, err := os.ReadFile("../../../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE ((?:nestsession|db)_\w+) `).FindAllStringSubmatch(metrics, -1) {
		if !bytes.Contains(page, []byte("`"+m[1]+"`")) {
			t.Errorf("docs/telemetry.md does not name %s", m[1])
		}
	}
}
