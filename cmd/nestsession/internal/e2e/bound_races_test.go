package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// raced: a page that changes the session races the registration; each order of their loads and
// saves keeps both the binding and the change.
func raced(t *testing.T, browser context.Context) {
	r, p := []step{{registration, "load"}, {registration, "save"}}, []step{{"GET /visit", "load"}, {"GET /visit", "save"}}
	for _, order := range merges(r, p) {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			st := newMemory(t)
			b := openBoundApp(t, browser, st)
			b.navigate("/")
			g := newGates(order...)
			st.gates.Store(g)
			b.submit("/visit")
			for _, s := range order {
				g.let(t, s)
			}
			if page := b.awaitAnswered("GET /visit", 1)[0]; page.status != http.StatusOK {
				t.Fatalf("the page that raced the registration is answered %d\n%s", page.status, b.account())
			}
			b.arrive("kim has 1 visits")
			b.awaitEvent("the session is bound", succeeded(created))
			b.showProof()
			b.wantBound("after the race")
			if text := b.shown(); !strings.Contains(text, "kim has 1 visits") {
				t.Errorf("the page's change is lost: %q", text)
			}
			b.lapse()
			b.navigate("/me")
			b.wantUser("after a refresh")
		})
	}
}

// overtaken: a request that the browser sent before it had the first proof arrives after one that shows
// it.
func overtaken(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	register, held, visit := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b.site.holdAt(func(r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case registration:
			<-register
		case "POST /visit":
			close(held)
			<-visit
		}
	})
	b.navigate("/")
	b.press("Log in")
	b.do(chromedp.Evaluate[chromedp.Void](`void (window.visit = fetch("/visit", {method: "POST"}).then(r => r.status))`))
	await(t, held, "the request did not come")
	close(register)
	b.awaitEvent("the session is bound", succeeded(created))
	b.proof()
	second := openBeside(t, b.tab)
	second.navigate("/me")
	close(visit)
	if status := run(b.tab, chromedp.Evaluate[int](`visit`, chromedp.EvalAwaitPromise)); status != http.StatusOK {
		t.Errorf("a request without a proof that was overtaken is answered %d\n%s", status, b.account())
	}
	b.wantBound("after the registration")
}

// refreshRaced: a request that was sent with the last proof, and changes the session, races the next
// refresh.
func refreshRaced(t *testing.T, browser context.Context) {
	r, p := []step{{refresh, "load"}, {refresh, "save"}}, []step{{"POST /visit", "load"}, {"POST /visit", "save"}}
	for _, order := range merges(r, p) {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			st := newMemory(t)
			b := openBoundApp(t, browser, st)
			b.logInBound()
			// The request arrives with the last proof, and is held before it uses the store.
			held, open := make(chan struct{}), make(chan struct{})
			b.site.holdAt(func(r *http.Request) {
				if r.Method+" "+r.URL.Path == "POST /visit" {
					close(held)
					<-open
				}
			})
			b.do(chromedp.Evaluate[chromedp.Void](`void (window.visit = fetch("/visit", {method: "POST"}).then(r => r.status))`))
			await(t, held, "the request did not come")
			b.lapse()
			g := newGates(order...)
			st.gates.Store(g)
			close(open)
			b.do(chromedp.Evaluate[chromedp.Void](`void (window.me = fetch("/me").then(r => r.status))`))
			for _, s := range order {
				g.let(t, s)
			}
			b.wantStatuses(run(b.tab, chromedp.Evaluate[[]int](`Promise.all([visit, me])`, chromedp.EvalAwaitPromise)), "a request that raced a refresh, and the one that waited")
			b.wantBound("after the race")
			if text := b.shown(); !strings.Contains(text, "kim has 1 visits") {
				t.Errorf("the request's change is lost: %q", text)
			}
		})
	}
}

func await(t *testing.T, until <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-until:
	case <-time.After(soon):
		t.Fatalf("%s within %v", otherwise, soon)
	}
}

// loginRacesRegistration: the registration of a first login arrives when the user has logged in once
// more.
func loginRacesRegistration(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	held, open := make(chan struct{}), make(chan struct{})
	var n atomic.Int64
	b.site.holdAt(func(r *http.Request) {
		if r.Method+" "+r.URL.Path == registration && n.Add(1) == 1 {
			close(held)
			<-open
		}
	})
	b.navigate("/")
	b.press("Log in")
	await(t, held, "the registration did not come")
	b.navigate("/")
	b.press("Log in")
	b.wantUser("after the second login")
	close(open)
	b.awaitAnswered(registration, 2)
	b.awaitEvent("the session is bound", succeeded(created))
	b.showProof()
	b.wantBound("after two logins")
	b.lapse()
	b.navigate("/me")
	b.wantUser("after a refresh")
}

// loginRacesRefresh: the user logs in again in one tab while another tab's proof is on its way.
func loginRacesRefresh(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t), "/login", "/welcome")
	b.logInBound()
	second := openBeside(t, b.tab)
	second.navigate("/welcome")
	b.lapse()
	held, open := make(chan struct{}), make(chan struct{})
	var n atomic.Int64
	b.site.holdAt(func(r *http.Request) {
		if r.Method+" "+r.URL.Path == refresh && n.Add(1) == 1 {
			close(held)
			<-open
		}
	})
	b.do(chromedp.Evaluate[chromedp.Void](`void fetch("/me")`))
	await(t, held, "the refresh did not come")
	second.do(chromedp.Evaluate[chromedp.Void](`void document.forms[0].submit()`))
	b.awaitAnswered("POST /login", 2)
	close(open)
	b.awaitAnswered(registration, 2)
	b.awaitUser()
	b.showProof()
	b.wantBound("after a login in another tab")
	b.lapse()
	b.navigate("/me")
	b.wantUser("after a refresh")
}

// renewalRacesRegistration: a page renews the session's id while the browser makes its key.
func renewalRacesRegistration(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	open := make(chan struct{})
	b.site.holdAt(func(r *http.Request) {
		if r.Method+" "+r.URL.Path == registration {
			<-open
		}
	})
	b.navigate("/")
	b.press("Log in")
	b.wantStatuses(b.fetch("POST", "/renew"), "renewing the id")
	b.wantStatuses(b.fetch("GET", "/me"), "with the new id")
	close(open)
	b.awaitEvent("the session is bound", succeeded(created))
	b.showProof()
	b.wantBound("after its id was renewed during the registration")
}

// logoutRaces: the user logs out between the load and the save of a registration, and of a refresh.
// Neither brings the session back.
func logoutRaces(t *testing.T, browser context.Context) {
	for _, at := range []string{registration, refresh} {
		t.Run(at, func(t *testing.T) {
			st := newMemory(t)
			b := openBoundApp(t, browser, st)
			g := newGates(step{at, "load"}, step{at, "save"})
			if at == registration {
				st.gates.Store(g)
				b.navigate("/")
				b.press("Log in")
			} else {
				b.logInBound()
				st.gates.Store(g)
			}
			th := b.steal()
			if at == refresh {
				b.lapse()
				b.do(chromedp.Evaluate[chromedp.Void](`void fetch("/me")`))
			}
			g.let(t, step{at, "load"})
			// The browser's own logout would wait for the refresh.
			if answer, _ := th.send("POST", "/logout"); answer.StatusCode != http.StatusSeeOther {
				t.Errorf("the logout is answered %d", answer.StatusCode)
			}
			g.let(t, step{at, "save"})
			if got := b.awaitAnswered(at, 1)[0]; got.status != http.StatusUnauthorized {
				t.Errorf("%v, want 401", got)
			}
			for range b.app.manager.List(t.Context(), "kim") {
				t.Error("the session is back")
			}
			b.navigate("/")
			b.press("Log in")
			b.wantUser("after the next login")
			b.awaitAnswered(registration, 2)
			b.showProof()
			b.wantBound("after the next login")
		})
	}
}

// boundAgain: a second login in the same browser gets a key of its own.
func boundAgain(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	th := b.steal()
	b.navigate("/")
	b.press("Log in")
	b.wantUser("after the second login")
	b.awaitAnswered(registration, 2)
	b.showProof()
	b.site.clock.overlap()
	th.wantRefused("after a second login")
	b.wantBound("after the second login")
	b.lapse()
	b.navigate("/me")
	b.wantUser("after a refresh")
}

// loginWhileLapsed: the proof of a session has lapsed, and the user logs in again by a page that needs
// none. The browser then sends a proof of the first login's key to the second one's session.
func loginWhileLapsed(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t), "/login", "/welcome")
	b.logInBound()
	b.navigate("/welcome")
	b.lapse()
	b.submit("/me")
	b.arrive("kim has")
	b.awaitAnswered(registration, 2)
	b.awaitAnswered(refresh, 1)
	b.showProof()
	b.wantBound("after a login while the proof had lapsed")
	b.lapse()
	b.navigate("/me")
	b.wantUser("after a refresh")
}

// merges returns every order of two sequences.
func merges(a, b []step) (orders [][]step) {
	if len(a) == 0 || len(b) == 0 {
		return [][]step{append(append([]step(nil), a...), b...)}
	}
	for _, rest := range merges(a[1:], b) {
		orders = append(orders, append([]step{a[0]}, rest...))
	}
	for _, rest := range merges(a, b[1:]) {
		orders = append(orders, append([]step{b[0]}, rest...))
	}
	return orders
}
