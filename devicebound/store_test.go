package devicebound_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store/memstore"
)

// newFaulty makes a node on a store that can fail.
func newFaulty(t *testing.T, c *clock) (*faulty, *node) {
	t.Helper()
	f := &faulty{Store: memstore.New(memstore.Config{Now: c.now})}
	return f, newNode(t, c, session.Config{Store: f, IdleTimeout: 30 * time.Minute}, devicebound.Config{})
}

// A store that is down ends no binding. The browser sends the same proof again.
func TestTheStoreIsDown(t *testing.T) {
	t.Parallel()
	c := newClock()
	f, n := newFaulty(t, c)
	b := newBrowser(t, c)
	field := b.send(n, b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	f.set(true)
	r, took := b.registering(field)
	again := r.Clone(t.Context())
	res := b.send(n, r)
	wantStatus(t, "the registration", res, http.StatusServiceUnavailable)
	took(res)
	f.set(false)
	res = b.send(n, again)
	wantStatus(t, "the registration again", res, http.StatusOK)
	b = newBrowser(t, c)
	b.visit(n, "/login")
	wantStatus(t, "the page", b.visit(n, "/page"), http.StatusOK)
	c.pass(10 * time.Minute)
	f.set(true)
	for range 3 {
		res := b.visit(n, "/page")
		wantStatus(t, "the page while the store is down", res, http.StatusServiceUnavailable)
	}
	if b.key == nil || b.signed != 1 {
		t.Fatalf("the browser has signed %d times, or has lost its key", b.signed)
	}
	f.set(false)
	wantStatus(t, "the page afterwards", b.visit(n, "/page"), http.StatusOK)
	if b.signed != 1 {
		t.Errorf("the browser has signed %d times", b.signed)
	}
}

// The store takes the proof and its answer is lost: the browser sends the same proof again,
// which is refused with a new challenge, and goes on.
func TestAnAnswerIsLost(t *testing.T) {
	t.Parallel()
	c := newClock()
	_, n := newFaulty(t, c)
	b := newBrowser(t, c)
	login(t, n, b)
	c.pass(8 * time.Minute)
	wantStatus(t, "the proof whose answer is lost", n.answer(b.proofRequest()), http.StatusOK)
	wantStatus(t, "a page in flight", b.visit(n, "/read"), http.StatusOK)
	wantStatus(t, "the same proof again", n.answer(b.proofRequest()), http.StatusForbidden)
	if b.prove(n) != "" || b.signed != 2 {
		t.Errorf("signed %d times", b.signed)
	}
	wantStatus(t, "a page", b.visit(n, "/read"), http.StatusOK)

	// And the browser does not notice for a while, since it has a cookie that it believes in.
	c.pass(8 * time.Minute)
	wantStatus(t, "the proof whose answer is lost", n.answer(b.proofRequest()), http.StatusOK)
	c.pass(time.Minute)
	wantStatus(t, "the old cookie", b.visit(n, "/read"), http.StatusUnauthorized)
	wantStatus(t, "the next page", b.visit(n, "/read"), http.StatusOK)
}

// What the calls cost: a load and a small write for a key and for a proof; a load for a proof
// that does not count.
func TestCosts(t *testing.T) {
	t.Parallel()
	c := newClock()
	f, n := newFaulty(t, c)
	b := newBrowser(t, c)
	field := b.send(n, b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	want := func(what string, calls map[string]int) {
		t.Helper()
		if got := f.reset(); !maps.Equal(got, calls) {
			t.Errorf("%s: the calls are %v, want %v", what, got, calls)
		}
	}
	f.reset()
	b.register(n, field)
	want("a registration", map[string]int{"Load": 1, "Update": 1})
	b.visit(n, "/read")
	want("the first proof", map[string]int{"Load": 1, "Update": 1})
	b.visit(n, "/read")
	want("a page", map[string]int{"Load": 1})
	c.pass(8 * time.Minute)
	b.prove(n)
	want("a proof, when a touch is due", map[string]int{"Load": 1, "Update": 1})
	b.visit(n, "/nothing")
	want("a page without a session", map[string]int{})
	c.pass(10 * time.Minute)
	b.restart()
	n.answer(b.proofRequest())
	want("a request for a challenge", map[string]int{"Load": 1})
	thief := without(b, n.binding.CookieName())
	n.answer(thief.request("GET", "/page"))
	want("a refused page", map[string]int{"Load": 1})
}

// streams makes a node in a bubble, whose clock it uses, with a page of a stream that is open
// until its context ends.
func streams(t *testing.T, cfg devicebound.Config) (n *node, b *browser, open func() context.Context) {
	t.Helper()
	c := newClock()
	c.t = time.Now()
	n = newNode(t, c, session.Config{Store: memstore.New(memstore.Config{}), IdleTimeout: 24 * time.Hour}, cfg)
	b = newBrowser(t, c)
	login(t, n, b)
	return n, b, func() context.Context {
		var ctx context.Context
		r := b.request("GET", "/stream")
		n.sessions.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *sess) {
			var stop context.CancelFunc
			ctx, stop = s.NotifyContext(context.WithoutCancel(r.Context()))
			t.Cleanup(stop)
		}).ServeHTTP(discard{}, r)
		if ctx == nil {
			t.Fatal("the stream was refused")
		}
		return ctx
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// A stream ends when the proof that its request brought has lapsed by more than the grace, and
// not before. A later proof does not keep it open, since a thief may have opened it. The client
// comes back with the later proof.
func TestStreamsLapse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, b, open := streams(t, devicebound.Config{})
		pass := func(d time.Duration) {
			b.clock.pass(d)
			time.Sleep(d)
			synctest.Wait()
		}
		ctx := open()
		pass(9 * time.Minute)
		b.prove(n)
		later := open()
		pass(devicebound.DefaultLifetime + devicebound.DefaultStreamGrace - 9*time.Minute - time.Second)
		if ctx.Err() != nil {
			t.Fatalf("the stream ended within the grace: %v", context.Cause(ctx))
		}
		pass(time.Second)
		if !errors.Is(context.Cause(ctx), session.ErrLapsed) || errors.Is(context.Cause(ctx), session.ErrRevoked) {
			t.Fatalf("the stream: %v", context.Cause(ctx))
		}
		if later.Err() != nil {
			t.Errorf("the stream with the later proof has ended: %v", context.Cause(later))
		}
		// The client comes back, and the browser proves the key for that if it is due.
		ctx = open()
		pass(5 * time.Minute)
		if ctx.Err() != nil {
			t.Errorf("the stream that came back has ended: %v", context.Cause(ctx))
		}
		b.visit(n, "/logout")
		pass(time.Second)
		if !errors.Is(context.Cause(ctx), session.ErrRevoked) {
			t.Errorf("after the logout: %v", context.Cause(ctx))
		}
	})
}

// A stream of a session without a key does not lapse.
func TestStreamsWithoutAKeyDoNotLapse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, b, open := streams(t, devicebound.Config{})
		b.visit(n, "/switch")
		ctx := open()
		b.clock.pass(12 * time.Hour)
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		if ctx.Err() != nil {
			t.Errorf("the stream has ended: %v", context.Cause(ctx))
		}
	})
}

// Nor does one on a path that needs no proof, which the browser would not prove its key for.
func TestStreamsOnExcludedPathsDoNotLapse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, b, open := streams(t, devicebound.Config{Exclude: []string{"/stream"}})
		pass := func(d time.Duration) {
			b.clock.pass(d)
			time.Sleep(d)
			synctest.Wait()
		}
		pass(time.Hour)
		ctx := open()
		pass(time.Hour)
		if ctx.Err() != nil {
			t.Errorf("the stream has ended: %v", context.Cause(ctx))
		}
	})
}
