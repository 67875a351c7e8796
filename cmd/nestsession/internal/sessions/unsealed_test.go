package sessions_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
)

// leave makes a session, logs it in, and renews it or logs it out, so that there are records that
// lead from old ids to new ones, or say that a session has ended.
func leave(t *testing.T, kept store.Store, cfg session.Config, last func(*session.Session[map[string]any], *http.Request) error) {
	t.Helper()
	cfg.Store, cfg.Logger = kept, slog.New(slog.DiscardHandler)
	m, err := session.New[map[string]any](cfg)
	if err != nil {
		t.Fatal(err)
	}
	var cookies []*http.Cookie
	for _, step := range []func(*session.Session[map[string]any], *http.Request) error{
		func(s *session.Session[map[string]any], _ *http.Request) error { session.Put(s, "cart", 1); return nil },
		func(s *session.Session[map[string]any], r *http.Request) error { return s.Login(r.Context(), "user:1") },
		last,
	} {
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		for _, c := range cookies {
			r.AddCookie(c)
		}
		m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
			if err := step(s, r); err != nil {
				t.Error(err)
			}
		})(w, r)
		if set := w.Result().Cookies(); len(set) > 0 {
			cookies = set
		}
	}
}

func renew(s *session.Session[map[string]any], r *http.Request) error { return s.Renew(r.Context()) }
func logOut(s *session.Session[map[string]any], r *http.Request) error {
	return s.Destroy(r.Context())
}

// A record that leads to a session, or says that it has ended, is not listed, with the secrets and
// without them. The owner is known in both cases.
func TestOnlySessionsAreListed(t *testing.T) {
	t.Parallel()
	native := session.Config{Secrets: []string{secret}, Cookie: session.Cookie{MaxAge: time.Hour, Secure: session.SecureAuto}}
	beside := express.Config(secret)
	beside.Cookie.MaxAge = time.Hour
	for name, c := range map[string]struct {
		cfg  session.Config
		last func(*session.Session[map[string]any], *http.Request) error
		want int
	}{
		"renewed":                           {native, renew, 1},
		"logged out":                        {native, logOut, 0},
		"renewed beside express-session":    {beside, renew, 1},
		"logged out beside express-session": {beside, logOut, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := newStore(t)
			leave(t, kept, c.cfg, c.last)
			for what, secrets := range map[string][]string{"the secrets": {secret}, "no secrets": nil, "others": {"the secret of another server"}} {
				v := view(t, kept, c.cfg.Express.InsecurePlainIDs, secrets...)
				for _, owner := range []string{"", "user:1"} {
					all := list(t, v, owner)
					if len(all) != c.want {
						t.Errorf("with %s, %d sessions of %q are listed, want %d", what, len(all), owner, c.want)
					}
					for _, s := range all {
						if s.Owner != "user:1" || s.Created.IsZero() || s.LastUsed.IsZero() {
							t.Errorf("with %s: %+v", what, s)
						}
					}
				}
			}
			v := view(t, kept, c.cfg.Express.InsecurePlainIDs)
			if n, err := v.RevokeAll(t.Context(), "user:1"); n != c.want || err != nil {
				t.Errorf("RevokeAll: %d, %v", n, err)
			}
			if n := len(list(t, v, "")); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
		})
	}
}

// express-session would take the remaining record for a session.
func TestRevokeLeavesNoRecordForExpressSession(t *testing.T) {
	t.Parallel()
	kept := newStore(t)
	if _, err := kept.Create(t.Context(), store.Record{ID: "id", Data: []byte(`{"cookie":{}}`)}); err != nil {
		t.Fatal(err)
	}
	v := view(t, kept, true, secret)
	if err := v.Revoke(t.Context(), list(t, v, "")[0]); err != nil {
		t.Fatal(err)
	}
	if r, err := kept.Load(t.Context(), "id"); err == nil {
		t.Errorf("%s is left", r.Data)
	}
}

// A program that shares the store cannot hide a session by what it writes into it.
func TestForgedBookkeepingHidesNoSession(t *testing.T) {
	t.Parallel()
	kept := newStore(t)
	for id, note := range map[string]string{"a": `{"ended":true,"successor":"x"}`, "b": `{"successor":"x","login":true}`, "c": `{"successor":"x"}`} {
		if _, err := kept.Create(t.Context(), store.Record{ID: id, Data: []byte(`{"cookie":{},"__nestsession":` + note + `}`)}); err != nil {
			t.Fatal(err)
		}
	}
	for what, secrets := range map[string][]string{"the secrets": {secret}, "none": nil} {
		if n := len(list(t, view(t, kept, true, secrets...), "")); n != 3 {
			t.Errorf("with %s %d are listed, want 3", what, n)
		}
	}
}
