package fromgorilla_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"
	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/fromgorilla"
	"github.com/nestsession/session/examples/internal/browser"
	"github.com/nestsession/session/sessiontest"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

func TestAVisitorOfGorillaStaysLoggedIn(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b := setup(t, store), browser.New()
			b.Visit(w.old, "POST", "/login?user=ada")
			if page := b.Visit(w.old, "GET", "/me"); page != "ada <nil>" {
				t.Fatalf("gorilla says %q", page)
			}
			for i, want := range []string{`ada ["admin"] ["hello"]`, `ada ["admin"] []`} {
				if page := b.Visit(w.new, "GET", "/me"); page != want {
					t.Errorf("visit %d after the move: %q, want %q", i+1, page, want)
				}
			}
			if c := b.Cookies(); c[oldName] != "" || c["__Host-sid"] == "" {
				t.Errorf("the browser has the cookies %v, want the new one alone", c)
			}
			b.Visit(w.new, "POST", "/logout")
			if page := b.Visit(w.new, "GET", "/me"); page != "401" {
				t.Errorf("after the logout: %q, want 401", page)
			}
		})
	}
}

// A response sets a cookie once (RFC 6265 section 4.1.1): not as gorilla keeps it, and
// then expired.
func TestTheOldCookieIsSetOnce(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		w, b := setup(t, store), browser.New()
		b.Visit(w.old, "POST", "/login?user=ada")
		rec := httptest.NewRecorder()
		w.new.ServeHTTP(rec, b.Request("GET", "/me"))
		lines := rec.Header()["Set-Cookie"]
		if n := strings.Count(strings.Join(lines, "\n"), oldName+"="); n != 1 {
			t.Errorf("%s: the old cookie is set %d times:\n%q", name, n, lines)
		}
	}
}

// A page that fetches several things at once does so before it has the new cookie.
func TestRequestsInFlightAreLoggedInToo(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		w, b := setup(t, store), browser.New()
		b.Visit(w.old, "POST", "/login?user=ada")
		for i, r := range []*http.Request{b.Request("GET", "/me"), b.Request("GET", "/me"), b.Request("GET", "/me")} {
			rec := httptest.NewRecorder()
			w.new.ServeHTTP(rec, r)
			if rec.Code != http.StatusOK {
				t.Errorf("%s: request %d with the old cookie: %d", name, i, rec.Code)
			}
		}
	}
}

// Where gorilla keeps sessions on the server, a copy of the old cookie is
// useless after the grace, however often it was used within the grace.
func TestTheOldSessionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, b := setup(t, stores(t)["files"]), browser.New()
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
	w, b := setup(t, stores(t)["cookie"]), browser.New()
	b.Visit(w.new, "POST", "/login?user=bob")
	b.Visit(w.old, "POST", "/login?user=ada")
	if page, want := b.Visit(w.new, "GET", "/me"), `bob [] ["welcome back"]`; page != want {
		t.Errorf("%q, want %q", page, want)
	}
}

// A session that an attacker may have planted is not the one that gets the login.
func TestTheIDChangesWithTheLogin(t *testing.T) {
	t.Parallel()
	w, b := setup(t, stores(t)["cookie"]), browser.New()
	b.Visit(w.old, "POST", "/login?user=ada")
	planted := httptest.NewRequest("GET", "https://shop.test/me", nil)
	sessiontest.Attach(t, w.sessions, planted, fromgorilla.Account{Flashes: []string{"planted"}}, "")
	r := b.Request("GET", "/me")
	r.Header.Add("Cookie", planted.Header.Get("Cookie"))
	rec := httptest.NewRecorder()
	w.new.ServeHTTP(rec, r)
	if c := sessiontest.Cookie(t, w.sessions, rec.Result()); c == nil || "__Host-sid="+c.Value == planted.Header.Get("Cookie") {
		t.Error("the session was taken over under the id that it had")
	}
}

// broken is a store that is down.
type broken struct{ sessions.Store }

func (b broken) New(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.NewSession(b, name), errors.New("down")
}

// While the old store is down, no user becomes an anonymous visitor.
func TestAnOldStoreThatIsDown(t *testing.T) {
	t.Parallel()
	kept := stores(t)["files"]
	w, b := setup(t, kept), browser.New()
	b.Visit(w.old, "POST", "/login?user=ada")
	w.takeover.Old = broken{kept}
	if page := b.Visit(w.new, "GET", "/me"); page != "503" {
		t.Errorf("%q, want 503", page)
	}
	if page := browser.New().Visit(w.new, "GET", "/me"); page != "401" {
		t.Errorf("a visitor without the cookie: %q, want 401", page)
	}
	w.takeover.Old = kept
	if page, want := b.Visit(w.new, "GET", "/me"), `ada ["admin"] ["hello"]`; page != want {
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
	synctest.Test(t, func(t *testing.T) {
		w, b := setup(t, stores(t)["files"]), browser.New()
		b.Visit(w.old, "POST", "/login?user=ada")
		down, err := session.New[fromgorilla.Account](session.Config{
			Secrets: []string{"a secret of this test"},
			Store:   full{memstore.New(memstore.Config{})},
		})
		if err != nil {
			t.Fatal(err)
		}
		up := w.takeover.Sessions
		w.takeover.Sessions = down
		if page := b.Visit(fromgorilla.Routes(w.takeover), "GET", "/me"); page != "503" {
			t.Errorf("%q, want 503", page)
		}
		time.Sleep(time.Minute)
		w.takeover.Sessions = up
		if page, want := b.Visit(w.new, "GET", "/me"), `ada ["admin"] ["hello"]`; page != want {
			t.Errorf("a minute later: %q, want %q", page, want)
		}
	})
}

// Forged cookies, and those of a session that the old application has ended.
func TestAnOldCookieThatLeadsNowhere(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		w, b := setup(t, store), browser.New()
		stranger := sessions.NewCookieStore([]byte("another key of thirty-two bytes.."))
		b.Visit(oldApplication(stranger), "POST", "/login?user=ada")
		if page := b.Visit(w.new, "GET", "/me"); page != "401" {
			t.Errorf("%s, a cookie that somebody else signed: %q, want 401", name, page)
		}
		if c := b.Cookies(); len(c) != 0 {
			t.Errorf("%s: the browser keeps %v", name, c)
		}
	}
	files := stores(t)["files"]
	w, b := setup(t, files), browser.New()
	b.Visit(w.old, "POST", "/login?user=ada")
	r := b.Request("POST", "/logout")
	old, err := files.Get(r, oldName)
	if err != nil {
		t.Fatal(err)
	}
	old.Options.MaxAge = -1
	if err := old.Save(r, httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	if page := b.Visit(w.new, "GET", "/me"); page != "401" {
		t.Errorf("after a logout in the old application: %q, want 401", page)
	}
}

// A message that a request adds while two others show the messages is not lost.
func TestFlashesAreShownOnceAndNoneIsLost(t *testing.T) {
	t.Parallel()
	w, b := setup(t, stores(t)["cookie"]), browser.New()
	b.Visit(w.new, "POST", "/login?user=ada")
	first, err := w.sessions.Open(b.Request("GET", "/me"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.sessions.Open(b.Request("GET", "/me"))
	if err != nil {
		t.Fatal(err)
	}
	adding, err := w.sessions.Open(b.Request("POST", "/order"))
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []*fromgorilla.Session{first, second} {
		want := []string{"welcome back"}[i:] // shown by one of two pages that are loaded at once
		if got, err := fromgorilla.Flashes(t.Context(), s); err != nil || !slices.Equal(got, want) {
			t.Errorf("Flashes() = %q, %v; want %q", got, err, want)
		}
	}
	fromgorilla.AddFlash(adding, "ordered")
	for _, s := range []*fromgorilla.Session{first, adding, second} {
		if err := s.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if page, want := b.Visit(w.new, "GET", "/me"), `ada [] ["ordered"]`; page != want {
		t.Errorf("the page after: %q, want %q", page, want)
	}
}
