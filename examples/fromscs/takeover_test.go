package fromscs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	oldstore "github.com/alexedwards/scs/v2/memstore"
	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/fromscs"
	"github.com/nestsession/session/examples/internal/browser"
	"github.com/nestsession/session/sessiontest"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// oldApplication is one on scs, as its documentation has it.
func oldApplication(sessions *scs.SessionManager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sessions.Put(r.Context(), "user", r.FormValue("user"))
		sessions.Put(r.Context(), "visits", 6)
		sessions.Put(r.Context(), "cart", []string{"tea"})
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, sessions.GetString(r.Context(), "user"))
	})
	return sessions.LoadAndSave(mux)
}

// world is the application before and after the move.
type world struct {
	scs      *scs.SessionManager
	old, new http.Handler
	sessions *session.Manager[fromscs.Account]
}

// defaults is scs as New makes it, with a store whose goroutine would outlive a test.
var defaults = scs.New()

func setup(t *testing.T, hashed bool) *world {
	t.Helper()
	old := new(*defaults)
	old.Store = oldstore.NewWithCleanupInterval(0)
	old.IdleTimeout, old.HashTokenInStore = time.Hour, hashed
	sessions, err := session.New[fromscs.Account](session.Config{Secrets: []string{"a secret of this test"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sessions.Close() })
	return &world{
		scs: old, old: oldApplication(old), sessions: sessions,
		new: fromscs.Routes(&fromscs.Takeover{Sessions: sessions, Old: old}),
	}
}

func TestAVisitorOfScsStaysLoggedIn(t *testing.T) {
	t.Parallel()
	for _, hashed := range []bool{false, true} {
		w, b := setup(t, hashed), browser.New()
		b.Visit(w.old, "POST", "/login?user=ada")
		if page := b.Visit(w.old, "GET", "/me"); page != "ada" {
			t.Fatalf("scs says %q", page)
		}
		if page, want := b.Visit(w.new, "GET", "/me"), `ada, visit 7, cart ["tea"]`; page != want {
			t.Errorf("the first visit after the move: %q, want %q", page, want)
		}
		if c := b.Cookies(); c["session"] != "" || c["__Host-sid"] == "" {
			t.Errorf("the browser has the cookies %v, want the new one alone", c)
		}
		if page, want := b.Visit(w.new, "GET", "/me"), `ada, visit 8, cart ["tea"]`; page != want {
			t.Errorf("the second: %q, want %q", page, want)
		}
		found := 0
		for _, err := range w.sessions.List(t.Context(), "user:ada") {
			if found++; err != nil {
				t.Fatal(err)
			}
		}
		if found != 1 {
			t.Errorf("user:ada has %d sessions, want 1", found)
		}
		b.Visit(w.new, "POST", "/logout")
		if page := b.Visit(w.new, "GET", "/me"); page != "401" {
			t.Errorf("after the logout: %q, want 401", page)
		}
	}
}

// A page that fetches four things at once does so before it has the new cookie.
func TestRequestsInFlightAreLoggedInToo(t *testing.T) {
	t.Parallel()
	w, b := setup(t, false), browser.New()
	b.Visit(w.old, "POST", "/login?user=ada")
	for i, r := range []*http.Request{b.Request("GET", "/me"), b.Request("GET", "/me"), b.Request("GET", "/me")} {
		rec := httptest.NewRecorder()
		w.new.ServeHTTP(rec, r)
		if rec.Code != http.StatusOK {
			t.Errorf("request %d of the old cookie: %d", i, rec.Code)
		}
	}
}

// After the grace a copy of the old cookie is useless, however often it was
// used within the grace.
func TestTheOldCookieEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, b := setup(t, false), browser.New()
		b.Visit(w.old, "POST", "/login?user=ada")
		copied := b.Request("GET", "/me")
		b.Visit(w.new, "GET", "/me")
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{20 * time.Second, http.StatusOK}, {9 * time.Second, http.StatusOK}, {2 * time.Second, http.StatusUnauthorized}} {
			time.Sleep(step.wait)
			rec := httptest.NewRecorder()
			w.new.ServeHTTP(rec, copied.Clone(t.Context()))
			if rec.Code != step.want {
				t.Errorf("the copy, %v later: %d, want %d", step.wait, rec.Code, step.want)
			}
		}
	})
}

// A logged-in user stays that user, whatever old cookie the browser sends.
func TestAnOldCookieDoesNotReplaceALogin(t *testing.T) {
	t.Parallel()
	w, b := setup(t, false), browser.New()
	b.Visit(w.new, "POST", "/login?user=bob")
	b.Visit(w.old, "POST", "/login?user=ada")
	if page, want := b.Visit(w.new, "GET", "/me"), `bob, visit 1, cart []`; page != want {
		t.Errorf("%q, want %q", page, want)
	}
}

// A session that an attacker may have planted is not the one that gets the login.
func TestTheIDChangesWithTheLogin(t *testing.T) {
	t.Parallel()
	w, b := setup(t, false), browser.New()
	b.Visit(w.old, "POST", "/login?user=ada")
	old := b.Request("GET", "/me")
	planted := httptest.NewRequest("GET", "https://shop.test/me", nil)
	sessiontest.Attach(t, w.sessions, planted, fromscs.Account{Cart: []string{"planted"}}, "")
	r := old.Clone(t.Context())
	r.Header.Add("Cookie", planted.Header.Get("Cookie"))
	rec := httptest.NewRecorder()
	w.new.ServeHTTP(rec, r)
	if c := sessiontest.Cookie(t, w.sessions, rec.Result()); c == nil || "__Host-sid="+c.Value == planted.Header.Get("Cookie") {
		t.Error("the session was taken over under the id that it had")
	}
}

// broken is a store of scs's that is down.
type broken struct{ scs.Store }

func (broken) Find(string) ([]byte, bool, error) { return nil, false, errors.New("down") }

// While the old store is down, no user becomes an anonymous visitor.
func TestAnOldStoreThatIsDown(t *testing.T) {
	t.Parallel()
	w, b := setup(t, false), browser.New()
	b.Visit(w.old, "POST", "/login?user=ada")
	kept := w.scs.Store
	w.scs.Store = broken{kept}
	if page := b.Visit(w.new, "GET", "/me"); page != "503" {
		t.Errorf("%q, want 503", page)
	}
	if page := browser.New().Visit(w.new, "GET", "/me"); page != "401" {
		t.Errorf("a visitor without the cookie: %q, want 401", page)
	}
	w.scs.Store = kept
	if page, want := b.Visit(w.new, "GET", "/me"), `ada, visit 7, cart ["tea"]`; page != want {
		t.Errorf("once it is up again: %q, want %q", page, want)
	}
}

// full is a store that takes no new sessions.
type full struct{ store.Store }

func (full) Create(context.Context, store.Record) (store.Version, error) {
	return 0, store.ErrFull
}

// As long as the new session is not stored, the old one is not ended.
func TestANewStoreThatIsDown(t *testing.T) {
	t.Parallel()
	w, b := setup(t, false), browser.New()
	b.Visit(w.old, "POST", "/login?user=ada")
	before := w.deadline(t, b)
	sessions, err := session.New[fromscs.Account](session.Config{
		Secrets: []string{"a secret of this test"},
		Store:   full{memstore.New(memstore.Config{})},
	})
	if err != nil {
		t.Fatal(err)
	}
	if page := b.Visit(fromscs.Routes(&fromscs.Takeover{Sessions: sessions, Old: w.scs}), "GET", "/me"); page != "503" {
		t.Errorf("%q, want 503", page)
	}
	if after := w.deadline(t, b); !after.Equal(before) {
		t.Errorf("the old session ends at %v, want %v as before", after, before)
	}
}

// deadline returns when the old session ends to which the browser's cookie leads.
func (w *world) deadline(t *testing.T, b *browser.Browser) time.Time {
	t.Helper()
	ctx, err := w.scs.Load(t.Context(), b.Cookies()["session"])
	if err != nil {
		t.Fatal(err)
	}
	return w.scs.Deadline(ctx)
}

func TestACookieThatScsDoesNotKnow(t *testing.T) {
	t.Parallel()
	w, b := setup(t, false), browser.New()
	b.SetCookies(&http.Cookie{Name: "session", Value: "made-up", Path: "/"})
	if page := b.Visit(w.new, "GET", "/me"); page != "401" {
		t.Errorf("%q, want 401", page)
	}
	if c := b.Cookies(); len(c) != 0 {
		t.Errorf("the browser has the cookies %v, want none", c)
	}
	all, err := w.scs.Store.(scs.IterableStore).All()
	if err != nil || len(all) != 0 {
		t.Errorf("scs's store has %d sessions (%v), want none", len(all), err)
	}
}
