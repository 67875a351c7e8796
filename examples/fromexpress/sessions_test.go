package fromexpress_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/examples/fromexpress"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

const (
	secret = "the secret of both sides"
	id     = "Zk3vQh1cT9yUeWm2LrXa0BpDsGnJf7oK"
)

func TestMain(m *testing.M) {
	if err := os.Setenv("SESSION_SECRET", secret); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// nodeDocument is a session as express-session writes it, with keys and a number that
// the Go side does not know.
const nodeDocument = `{"cookie":{"originalMaxAge":604800000,"expires":"2026-01-08T00:00:00.000Z","httpOnly":true,"path":"/"},` +
	`"user":{"id":9007199254740993,"name":"ada"},"passport":{"user":7},"cart":{"tea":2},"big":9007199254740993}`

// nodeLogin is a store in which a Node application has just kept a session, and the
// request that its user sends next.
func nodeLogin(t *testing.T) (*memstore.Store, *http.Request) {
	t.Helper()
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = kept.Close() })
	_, err := kept.Create(t.Context(), store.Record{ID: id, Data: []byte(nodeDocument), Expires: time.Now().Add(7 * 24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := cookie.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "https://shop.test/me", nil)
	line := string(signer.AppendCookie(nil, "connect.sid", id, &cookie.Attributes{}))
	r.Header.Set("Cookie", strings.SplitN(line, ";", 2)[0])
	return kept, r
}

// me counts the visit and returns the user.
func me(w http.ResponseWriter, r *http.Request, s *session.Session[fromexpress.Account]) {
	if s.Data().User == nil {
		http.Error(w, "not logged in", http.StatusUnauthorized)
		return
	}
	s.Update(func(a *fromexpress.Account) { a.Visits++ })
	fmt.Fprintf(w, "%s %d, passport %s, visit %d", s.Data().User.Name, s.Data().User.ID, s.Data().Passport.User, s.Data().Visits)
}

func TestWhoIsLoggedInAtNodeIsLoggedInHere(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(store.Store) (*session.Manager[fromexpress.Account], error){
		"beside Node": fromexpress.Beside, "after Node": fromexpress.After,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept, r := nodeLogin(t)
			sessions, err := begin(kept)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			sessions.HandlerFunc(me)(w, r)
			if page, want := w.Body.String(), "ada 9007199254740993, passport 7, visit 1"; page != want {
				t.Errorf("%q, want %q", page, want)
			}
			rec, err := kept.Load(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			var doc map[string]json.RawMessage
			if err := json.Unmarshal(rec.Data, &doc); err != nil {
				t.Fatal(err)
			}
			for key, want := range map[string]string{"cart": `{"tea":2}`, "big": "9007199254740993", "visits": "1"} {
				if string(doc[key]) != want {
					t.Errorf("stored under %q: %s, want %s", key, doc[key], want)
				}
			}
		})
	}
}

// The page says this of cookies after Node: they become safe with the next change.
func TestCookiesBecomeSafeAfterNode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		begin func(store.Store) (*session.Manager[fromexpress.Account], error)
		safe  bool
	}{"beside Node": {fromexpress.Beside, false}, "after Node": {fromexpress.After, true}} {
		kept, r := nodeLogin(t)
		sessions, err := test.begin(kept)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		sessions.HandlerFunc(me)(w, r)
		cookies := w.Result().Cookies()
		if len(cookies) != 1 || cookies[0].Name != "connect.sid" {
			t.Fatalf("%s: cookies %v", name, cookies)
		}
		if c := cookies[0]; c.Secure != test.safe || (c.SameSite == http.SameSiteLaxMode) != test.safe {
			t.Errorf("%s: Secure %v, SameSite %v; want both: %v", name, c.Secure, c.SameSite, test.safe)
		}
	}
}
