package devicebound_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// gates is a store in which the calls of several requests run in an order that a test chooses.
// Requests have a letter, in their context. Other calls pass.
type gates struct {
	store.Store
	letters map[byte]*lane
}

// lane is one request.
type lane struct {
	arrived chan struct{} // the request waits for the store
	pass    chan struct{}
	ended   chan struct{}
	waiting bool
}

type letter struct{}

func newGates(s store.Store, letters string) *gates {
	g := &gates{s, map[byte]*lane{}}
	for i := range len(letters) {
		g.letters[letters[i]] = &lane{arrived: make(chan struct{}), pass: make(chan struct{}), ended: make(chan struct{})}
	}
	return g
}

func (g *gates) Unwrap() store.Store { return g.Store }

func (g *gates) wait(ctx context.Context) {
	if l, ok := ctx.Value(letter{}).(*lane); ok {
		l.arrived <- struct{}{}
		<-l.pass
	}
}

func (g *gates) Load(ctx context.Context, id string) (store.Record, error) {
	g.wait(ctx)
	return g.Store.Load(ctx, id)
}

func (g *gates) Create(ctx context.Context, r store.Record) (store.Version, error) {
	g.wait(ctx)
	return g.Store.Create(ctx, r)
}

func (g *gates) Update(ctx context.Context, r store.Record) (store.Version, error) {
	g.wait(ctx)
	return g.Store.Update(ctx, r)
}

func (g *gates) Touch(ctx context.Context, id string, expires time.Time) error {
	g.wait(ctx)
	return g.Store.Touch(ctx, id, expires)
}

func (g *gates) Delete(ctx context.Context, id string) error {
	g.wait(ctx)
	return g.Store.Delete(ctx, id)
}

// run sends the requests, of which each has a letter, and lets their calls pass in the order;
// after its end, one request after the other. It returns the responses by letter.
func (g *gates) run(h http.Handler, order string, requests map[byte]*http.Request) map[byte]*http.Response {
	writers := map[byte]*httptest.ResponseRecorder{}
	for name, r := range requests {
		l, w := g.letters[name], httptest.NewRecorder()
		writers[name] = w
		go func() {
			defer close(l.ended)
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), letter{}, l)))
		}()
	}
	// step lets one call of a request pass, and reports false if the request has ended.
	step := func(l *lane) bool {
		if !l.waiting {
			select {
			case <-l.arrived:
			case <-l.ended:
				return false
			}
		}
		l.pass <- struct{}{}
		select { // until its next call, or its end
		case <-l.arrived:
			l.waiting = true
		case <-l.ended:
			l.waiting = false
		}
		return true
	}
	for i := range len(order) {
		step(g.letters[order[i]])
	}
	responses := map[byte]*http.Response{}
	for name, w := range writers {
		for step(g.letters[name]) {
		}
		responses[name] = w.Result()
	}
	return responses
}

// orders yields all orders of n steps of the letters.
func orders(letters string, n int, do func(order string)) {
	if n == 0 {
		do("")
		return
	}
	orders(letters, n-1, func(order string) {
		for _, l := range letters {
			do(order + string(l))
		}
	})
}

// racing makes a node whose store has gates, and a browser that has logged in and not sent its
// key yet.
func racing(t *testing.T, letters string) (c *clock, g *gates, n *node, b *browser, field string) {
	t.Helper()
	c = newClock()
	g = newGates(memstore.New(memstore.Config{Now: c.now}), letters)
	n = newNode(t, c, session.Config{Store: g}, devicebound.Config{})
	b = newBrowser(t, c)
	field = b.send(n, b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	if field == "" {
		t.Fatal("no key was asked for")
	}
	return c, g, n, b, field
}

// registering is the request that brings a key.
func (b *browser) registering(field string) (*http.Request, func(*http.Response)) {
	m := registration.FindStringSubmatch(field)
	key := newKey(b.t, b.alg)
	r := b.request("POST", m[1])
	r.Header.Set("Secure-Session-Response", signCode(b.t, key, m[2], m[3]))
	return r, func(res *http.Response) {
		b.receive(res)
		b.took(key, res)
	}
}

// Pages that a browser loads after a login race the registration of its key, in every order of
// their calls to the store: the pages are shown, what they have changed is kept, and so is the
// key. In other implementations the page is the last to write, and the key is lost silently.
func TestPagesRaceTheRegistration(t *testing.T) {
	t.Parallel()
	for _, pages := range [][]string{{"/page"}, {"/read"}, {"/renew"}, {"/page", "/page"}, {"/page", "/renew"}} {
		t.Run(strings.Join(pages, " "), func(t *testing.T) {
			t.Parallel()
			letters, steps := "RA", 6
			if len(pages) == 2 {
				letters, steps = "RAB", 4
			}
			orders(letters, steps, func(order string) {
				c, g, n, b, field := racing(t, letters)
				requests, writes := map[byte]*http.Request{}, 0
				var took func(*http.Response)
				requests['R'], took = b.registering(field)
				for i, page := range pages {
					requests[letters[i+1]] = b.request("GET", page)
					if page == "/page" {
						writes++
					}
				}
				responses := g.run(n, order, requests)
				took(responses['R'])
				for i, page := range pages {
					wantStatus(t, order+" "+page, b.receive(responses[letters[i+1]]), http.StatusOK)
				}
				wantStatus(t, order+" the registration", responses['R'], http.StatusOK)
				if got := text(t, b.visit(n, "/read")); got != "user:1 "+string(rune('0'+writes)) {
					t.Errorf("%s: the data are %q, want %d", order, got, writes)
				}
				if !n.bound(t, "user:1") {
					t.Errorf("%s: the binding is lost", order)
				}
				c.pass(10 * time.Minute)
				wantStatus(t, order+" the next proof", b.visit(n, "/read"), http.StatusOK)
				if _, proofs := n.last(devicebound.EventRefreshed); proofs != 1 {
					t.Errorf("%s: %d proofs", order, proofs)
				}
				c.pass(time.Minute)
				wantStatus(t, order+" without a proof", n.answer(without(b, n.binding.CookieName()).request("GET", "/read")), http.StatusUnauthorized)
			})
		})
	}
}

// The page that races the registration logs in again, or out. What the user did last counts.
func TestLoginsRaceTheRegistration(t *testing.T) {
	t.Parallel()
	for page, owner := range map[string]string{"/again": "user:1", "/other": "user:2", "/logout": "", "/fresh": ""} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			orders("RA", 6, func(order string) {
				c, g, n, b, field := racing(t, "RA")
				c.pass(time.Second)
				first, took := b.registering(field)
				responses := g.run(n, order, map[byte]*http.Request{'R': first, 'A': b.request("GET", page)})
				if status := responses['R'].StatusCode; status != http.StatusOK && status != http.StatusUnauthorized && status != http.StatusForbidden {
					t.Errorf("%s: the registration gets %d", order, status)
				}
				b.receive(responses['A'])
				took(responses['R'])
				if owner == "" {
					wantStatus(t, order, b.visit(n, "/read"), http.StatusOK)
					return
				}
				if n.bound(t, owner) {
					t.Errorf("%s: the new login is bound to the key of the old one", order)
				}
				wantStatus(t, order+" before", n.answer(b.request("GET", "/read")), http.StatusOK)
				wantStatus(t, order+" the second registration", b.register(n, responses['A'].Header.Get("Secure-Session-Registration")), http.StatusOK)
				wantStatus(t, order+" after", b.visit(n, "/read"), http.StatusOK)
				if !n.bound(t, owner) {
					t.Errorf("%s: the binding is lost", order)
				}
				c.pass(10 * time.Minute)
				wantStatus(t, order+" the next proof", b.visit(n, "/read"), http.StatusOK)
			})
		})
	}
}

// Pages that were on their way race a proof, in every order: also a page that is the first
// to bring the cookie.
func TestPagesRaceAProof(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"/page", "/read", "/renew"} {
		for _, shown := range []bool{true, false} {
			t.Run(page, func(t *testing.T) {
				t.Parallel()
				orders("PA", 6, func(order string) {
					c, g, n, b, field := racing(t, "PA")
					b.register(n, field)
					if shown {
						b.visit(n, "/read")
						c.pass(8 * time.Minute)
					}
					responses := g.run(n, order, map[byte]*http.Request{'P': b.proofRequest(), 'A': b.request("GET", page)})
					wantStatus(t, order+" the page", b.receive(responses['A']), http.StatusOK)
					wantStatus(t, order+" the proof", b.receive(responses['P']), http.StatusOK)
					b.proof = ""
					b.obey(responses['P'])
					wantStatus(t, order+" afterwards", b.visit(n, "/read"), http.StatusOK)
					if !n.bound(t, "user:1") {
						t.Errorf("%s: the binding is lost", order)
					}
				})
			})
		}
	}
}

// The same proof comes twice at once, for example since the browser has lost the first
// connection: one counts, the other gets a challenge, and the browser goes on.
func TestTwoProofsAtOnce(t *testing.T) {
	t.Parallel()
	orders("PQ", 6, func(order string) {
		c, g, n, b, field := racing(t, "PQ")
		b.register(n, field)
		b.visit(n, "/read")
		c.pass(10 * time.Minute)
		responses := g.run(n, order, map[byte]*http.Request{'P': b.proofRequest(), 'Q': b.proofRequest()})
		statuses := responses['P'].StatusCode + responses['Q'].StatusCode
		if statuses != http.StatusOK+http.StatusForbidden {
			t.Errorf("%s: %d and %d", order, responses['P'].StatusCode, responses['Q'].StatusCode)
		}
		// The answer with the cookie is lost.
		wantStatus(t, order+" afterwards", b.visit(n, "/read"), http.StatusOK)
	})
}

// The user logs in again or out, or is logged out by an operator, while a proof is on its way. What
// ends the session ends the key, and the proof does not bring either back.
func TestEndsRaceAProof(t *testing.T) {
	t.Parallel()
	for page, owner := range map[string]string{"/again": "user:1", "/other": "user:2", "/logout": "", "/fresh": "", "revoked": ""} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			orders("PA", 6, func(order string) {
				c, g, n, b, field := racing(t, "PA")
				b.register(n, field)
				b.visit(n, "/read")
				c.pass(8 * time.Minute)
				stolen := b.thief()
				h, other := ending(n, page), b.request("GET", page)
				responses := g.run(h, order, map[byte]*http.Request{'P': b.proofRequest(), 'A': other})
				switch status := responses['P'].StatusCode; status {
				case http.StatusOK, http.StatusUnauthorized, http.StatusForbidden:
				default:
					t.Errorf("%s: the proof gets %d", order, status)
				}
				wantEnded(t, n, order, stolen)
				b.receive(responses['P'])
				b.receive(responses['A'])
				if owner == "" {
					wantEnded(t, n, order, b)
					return
				}
				field = responses['A'].Header.Get("Secure-Session-Registration")
				if n.bound(t, owner) || field == "" {
					t.Errorf("%s: the new login is bound to the key of the old one, or no key is asked for", order)
				}
				wantStatus(t, order+" the registration", b.register(n, field), http.StatusOK)
				wantStatus(t, order+" after", b.visit(n, "/read"), http.StatusOK)
				if !n.bound(t, owner) {
					t.Errorf("%s: the new login is not bound", order)
				}
			})
		})
	}
}

// An operator ends the user's sessions while the browser registers its key.
func TestARevocationRacesTheRegistration(t *testing.T) {
	t.Parallel()
	orders("RA", 6, func(order string) {
		_, g, n, b, field := racing(t, "RA")
		stolen := b.thief()
		r, _ := b.registering(field)
		responses := g.run(ending(n, "revoked"), order, map[byte]*http.Request{'R': r, 'A': b.request("GET", "revoked")})
		if status := responses['R'].StatusCode; status != http.StatusOK && status != http.StatusUnauthorized {
			t.Errorf("%s: the registration gets %d", order, status)
		}
		b.receive(responses['R'])
		wantEnded(t, n, order, stolen)
		wantEnded(t, n, order, b)
	})
}

// ending is the node with a page "revoked", which ends all sessions of the user.
func ending(n *node, page string) http.Handler {
	if page != "revoked" {
		return n
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != page {
			n.ServeHTTP(w, r)
		} else if _, err := n.sessions.RevokeOwner(r.Context(), "user:1"); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// wantEnded checks that nobody is logged in with the cookies.
func wantEnded(t *testing.T, n *node, order string, with *browser) {
	t.Helper()
	res := n.answer(with.request("GET", "/read"))
	if got := text(t, res); res.StatusCode == http.StatusOK && !strings.HasPrefix(got, " ") {
		t.Errorf("%s: the session lives, of %q", order, got)
	}
}

// Two keys answer the login's challenge at once: those of two tabs, or of the browser and a thief
// who has read the login's response. One is the session's, and the browser with the other goes
// on only if it can prove it.
func TestTwoKeysAtOnce(t *testing.T) {
	t.Parallel()
	orders("RQ", 6, func(order string) {
		c, g, n, b, field := racing(t, "RQ")
		other := b.thief()
		first, tookFirst := b.registering(field)
		second, tookSecond := other.registering(field)
		responses := g.run(n, order, map[byte]*http.Request{'R': first, 'Q': second})
		tookFirst(responses['R'])
		tookSecond(responses['Q'])
		if got := responses['R'].StatusCode + responses['Q'].StatusCode; got != http.StatusOK+http.StatusForbidden {
			t.Fatalf("%s: %d and %d", order, responses['R'].StatusCode, responses['Q'].StatusCode)
		}
		winner, loser := b, other
		if b.key == nil {
			winner, loser = other, b
		}
		if len(responses['R'].Header["Set-Cookie"])+len(responses['Q'].Header["Set-Cookie"]) != 1 {
			t.Errorf("%s: both get a bound cookie", order)
		}
		wantStatus(t, order+" the first", winner.visit(n, "/page"), http.StatusOK)
		c.pass(devicebound.DefaultOverlap)
		wantStatus(t, order+" the second", loser.visit(n, "/page"), http.StatusUnauthorized)
		c.pass(10 * time.Minute)
		wantStatus(t, order+" the first, later", winner.visit(n, "/page"), http.StatusOK)
	})
}
