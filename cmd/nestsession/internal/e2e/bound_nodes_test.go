package e2e

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
)

// serverRestarted: the server ends and begins again, with a memory store and its snapshot, at each
// step of the protocol.
func serverRestarted(t *testing.T, browser context.Context) {
	for _, at := range []string{registration, refresh} {
		t.Run(at, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "sessions")
			var app *boundApp
			var st *memstore.Store
			begin := func(c *clock) http.Handler {
				var err error
				if st, err = memstore.Open(file, memstore.Config{}); err != nil {
					t.Error(err)
				}
				app = newBoundApp(t, st, devicebound.Config{Now: c.now})
				return app
			}
			s := startBoundSite(t, begin)
			restart := func() {
				if err := errors.Join(app.manager.Close(), st.Close()); err != nil {
					t.Error(err)
				}
				s.deploy(begin(&s.clock))
			}
			t.Cleanup(func() { _ = st.Close() })
			b := openBound(t, browser, s)
			var restarted atomic.Bool
			s.holdAt(func(r *http.Request) {
				if r.Method+" "+r.URL.Path == at && restarted.CompareAndSwap(false, true) {
					restart()
				}
			})
			b.logInBound()
			b.lapse()
			b.navigate("/me")
			b.wantUser("after the server was started again")
			if !restarted.Load() {
				t.Errorf("there was no %s", at)
			}
			b.wantBound("after the server was started again")
		})
	}
}

// twoNodes: consecutive requests go to different nodes.
func boundOnTwoNodes(t *testing.T, browser context.Context) {
	st := newMemory(t)
	b := openBound(t, browser, startBoundSite(t, func(c *clock) http.Handler {
		nodes := []*boundApp{newBoundApp(t, st, devicebound.Config{Now: c.now}), newBoundApp(t, st, devicebound.Config{Now: c.now})}
		var n atomic.Int64
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { nodes[n.Add(1)%2].ServeHTTP(w, r) })
	}))
	b.logInBound()
	for range 2 {
		b.lapse()
		b.wantStatuses(b.fetch("GET", "/me", "/visit", "/me?2"), "on two nodes")
	}
	b.wantBound("on two nodes")
}

// boundBehindNearCache: a node that has an old record in its memory lets in the browser that has proved
// its key at another node meanwhile, and takes its next proof.
func boundBehindNearCache(t *testing.T, browser context.Context) {
	st := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = st.Close() })
	near, err := nearcache.New(unwatched{st}, nearcache.Config{MaxStale: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	var other atomic.Bool // proofs go to the node with the near cache, too
	b := openBound(t, browser, startBoundSite(t, func(c *clock) http.Handler {
		here, there := newBoundApp(t, st, devicebound.Config{Now: c.now}), newBoundApp(t, near, devicebound.Config{Now: c.now})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "there" || other.Load() && r.URL.Path == "/dbsc/refresh" {
				there.ServeHTTP(w, r)
			} else {
				here.ServeHTTP(w, r)
			}
		})
	}))
	b.logInBound()
	b.wantStatuses(b.fetch("GET", "/me?there"), "at a node with a near cache")
	b.site.clock.overlap()
	for range 2 {
		b.lapse()
		b.wantStatuses(b.fetch("GET", "/me"), "at the node that takes the proof")
		b.wantStatuses(b.fetch("GET", "/me?there"), "at a node that has the record from before the proof")
	}
	other.Store(true)
	b.lapse()
	b.wantStatuses(b.fetch("GET", "/me", "/me?there"), "after a proof at a node that has the record from before the last one")
	b.wantBound("at two nodes")
}

// proofBehindNearCache: the browser proves its key at a node whose record is from before the registration.
func proofBehindNearCache(t *testing.T, browser context.Context) {
	st := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = st.Close() })
	near, err := nearcache.New(unwatched{st}, nearcache.Config{MaxStale: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	b := openBound(t, browser, startBoundSite(t, func(c *clock) http.Handler {
		here, there := newBoundApp(t, st, devicebound.Config{Now: c.now}), newBoundApp(t, near, devicebound.Config{Now: c.now})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "there" || r.URL.Path == "/dbsc/refresh" {
				there.ServeHTTP(w, r)
			} else {
				here.ServeHTTP(w, r)
			}
		})
	}))
	open := make(chan struct{})
	b.site.holdAt(func(r *http.Request) {
		if r.Method+" "+r.URL.Path == registration {
			<-open
		}
	})
	b.navigate("/")
	b.press("Log in")
	b.wantStatuses(b.fetch("GET", "/me?there"), "before the registration")
	close(open)
	b.awaitEvent("the session is bound", succeeded(created))
	b.showProof()
	b.lapse()
	b.navigate("/me")
	b.wantUser("after a proof at a node that has the record from before the registration")
	b.wantBound("after that")
}

// unwatched is a store that reports no changes.
type unwatched struct{ store.Store }

// boundOn runs a session's life on a store.
func boundOn(kind string) func(*testing.T, context.Context) {
	return func(t *testing.T, browser context.Context) {
		b := openBoundApp(t, browser, openStore(t, kind))
		b.logInBound()
		b.wantBound("on " + kind)
		th := b.steal()
		b.lapse()
		b.navigate("/visit")
		b.wantUser("after a refresh")
		b.site.clock.overlap()
		th.wantRefused("after a refresh")
		b.press("Log out")
		th = b.steal()
		b.logInBound()
		th.wantRefused("after a logout")
		if n, err := b.app.manager.RevokeOwner(t.Context(), "kim"); n != 1 || err != nil {
			t.Errorf("%d sessions were ended: %v; want 1", n, err)
		}
		b.navigate("/me")
		if text := b.shown(); !strings.HasPrefix(text, "nobody is logged in") {
			t.Errorf("after the session was ended elsewhere the page says %q", text)
		}
	}
}

func openStore(t *testing.T, kind string) store.Store {
	t.Helper()
	var address string
	switch kind {
	case "memory":
		return newMemory(t)
	case "SQLite":
		address = "sqlite:" + filepath.Join(t.TempDir(), "sessions.db") + "?create=true"
	case "Redis":
		address = redisStore(t)
	case "PostgreSQL":
		address = postgresStore(t)
	case "NATS":
		address = natsServer(t)
	case "MariaDB":
		address = mariaUsers(t) + "?create=true"
	}
	target, err := storeurl.Parse(address, false)
	if err != nil {
		t.Fatal(err)
	}
	st, err := stores.Open(t.Context(), target, stores.Options{Make: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}
