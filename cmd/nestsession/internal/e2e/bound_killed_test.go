package e2e

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// serverKilled: the server is killed with SIGKILL before it gets the registration of a key, or between
// its answer and the browser. The user stays logged in, and the next login is bound.
func serverKilled(t *testing.T, browser context.Context) {
	for name, answers := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			var node *exec.Cmd
			launch := func() http.Handler {
				started, address := launchNode(t, folder, "", "--bind-devices", "--trusted-proxy=127.0.0.1")
				node = started
				target, err := url.Parse(address)
				if err != nil {
					t.Fatal(err)
				}
				return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
					r.SetURL(target)
					r.SetXForwarded()
					r.Out.Host = r.In.Host
				}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)} // of requests while there is no server
			}
			first := launch()
			t.Cleanup(func() { endNode(t, node) })
			reached, again := make(chan struct{}), make(chan struct{})
			var killed atomic.Bool
			s := startBoundSite(t, func(*clock) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method+" "+r.URL.Path != registration || !killed.CompareAndSwap(false, true) {
						first.ServeHTTP(w, r)
						return
					}
					if answers {
						answer := httptest.NewRecorder()
						if first.ServeHTTP(answer, r); answer.Code != http.StatusOK {
							t.Errorf("the registration was answered %d", answer.Code)
						}
					}
					close(reached)
					<-again
					panic(http.ErrAbortHandler)
				})
			})
			b := openBound(t, browser, s)
			b.navigate("/")
			b.press("Sign up")
			b.fill("username", "kim", "password", "correct horse battery")
			b.press("Sign up")
			select {
			case <-reached:
			case <-b.ctx.Done():
				t.Fatalf("no registration came\n%s", b.account())
			}
			if err := node.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = node.Wait() // it says "killed"
			s.deploy(launch())
			close(again)
			b.awaitEvent("the registration has failed", func(e *boundEvent) bool { return created(e) && !e.Succeeded })
			b.navigate("/me")
			b.wantLoggedIn("kim", "after the server was killed")

			b.press("Log out")
			b.logIn("kim", "correct horse battery")
			e := b.awaitEvent("the next login is bound", succeeded(created))
			b.awaitCookie(e.CreationEventDetails.NewSession.CookieCravings[0].Name)
			b.navigate("/me")
			b.wantLoggedIn("kim", "with a proof")
			bound := run(b.tab, chromedp.Evaluate[[]bool](`fetch("/sessions", {headers: {Accept: "application/json"}})
				.then(r => r.json()).then(list => list.sessions.map(s => s.bound))`, chromedp.EvalAwaitPromise))
			if !slices.Equal(bound, []bool{true}) {
				t.Errorf("which sessions are bound: %v; want one that is", bound)
			}
		})
	}
}
