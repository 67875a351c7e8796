package live_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
)

const (
	secret     = "the secret that both programs share"
	cookieName = "connect.sid"
)

// data are the Go applications' data. No application knows the keys of the others.
type data = map[string]any

// apps are the applications that both programs serve on the store, with the same options.
var apps = []nodeApp{
	{Name: "hour", MaxAge: time.Hour.Milliseconds()},
	{Name: "short", MaxAge: shortLife.Milliseconds()},
	{Name: "open"}, // without maxAge
	{Name: "rolling", MaxAge: time.Hour.Milliseconds(), Rolling: true},
}

// side is one of the two programs: node/routes.js or goRoutes.
type side struct {
	name string
	base string // URL
}

// answer is the answer of a route.
type answer struct {
	Status int `json:"-"`
	ID     string
	Data   data
	Sent   *http.Cookie `json:"-"` // nil if no session cookie was sent
}

// visitor is a browser with a cookie of one application, which both programs serve.
type visitor struct {
	app    string
	cookie string // value of the session's cookie, as it was sent
}

// get visits a route that changes nothing.
func (v *visitor) get(t *testing.T, s side, route string) answer {
	t.Helper()
	return v.visit(t, s, "GET", route, nil)
}

func (v *visitor) post(t *testing.T, s side, route string, body any) answer {
	t.Helper()
	return v.visit(t, s, "POST", route, body)
}

func (v *visitor) visit(t *testing.T, s side, method, route string, body any) answer {
	t.Helper()
	a := v.try(t, s, method, "/"+v.app+route, body)
	if a.Status != http.StatusOK {
		t.Fatalf("%s answers %s %s/%s with %d", s.name, method, v.app, route, a.Status)
	}
	return a
}

// try visits any path, and returns the response whatever its status.
func (v *visitor) try(t *testing.T, s side, method, path string, body any) answer {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.base+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if v.cookie != "" {
		r.Header.Set("Cookie", cookieName+"="+v.cookie)
	}
	return v.do(t, s, r)
}

// do makes a request, and keeps the cookie of the response.
func (v *visitor) do(t *testing.T, s side, r *http.Request) answer {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{Status: resp.StatusCode}
	if resp.StatusCode == http.StatusOK && len(text) > 0 {
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatalf("%s answers %s %s: %v", s.name, r.Method, r.URL.Path, err)
		}
	}
	for _, c := range resp.Cookies() {
		if c.Name == cookieName {
			a.Sent, v.cookie = c, c.Value
		}
	}
	return a
}

// id returns the session's id: the part of the cookie before the signature.
func (v *visitor) id(t *testing.T) string {
	t.Helper()
	text, err := url.QueryUnescape(v.cookie)
	dot := strings.LastIndexByte(text, '.')
	if err != nil || !strings.HasPrefix(text, "s:") || dot < 0 {
		t.Fatal("the visitor has no signed cookie")
	}
	return text[2:dot]
}

// goManager returns the Go application's manager for an app, with the preset.
func goManager(t *testing.T, kept store.Store, a nodeApp) *session.Manager[data] {
	t.Helper()
	cfg := express.Config(secret)
	cfg.Store = kept
	cfg.Cookie.MaxAge = time.Duration(a.MaxAge) * time.Millisecond
	cfg.Rolling = a.Rolling
	cfg.StoreLimits.RecheckInterval = time.Second
	m, err := session.New[data](cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// startGo serves the apps, as node/server.js does.
func startGo(t *testing.T, managers map[string]*session.Manager[data]) side {
	t.Helper()
	mux := http.NewServeMux()
	for name, m := range managers {
		goRoutes(mux, "/"+name, m)
		mux.Handle("GET /"+name+"/socket", socket(m))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return side{"Go", server.URL}
}

// goRoutes are the routes of node/routes.js, and three that only Go has: Login and Renew, which
// express-session does not have, and the owner of the session.
func goRoutes(mux *http.ServeMux, path string, m *session.Manager[data]) {
	route := func(pattern string, do func(r *http.Request, s *session.Session[data], body data) error) {
		method, route, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+path+route, m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[data]) {
			var body data
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			if err := do(r, s, body); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"id": s.ID(), "data": s.Data()})
		}))
	}
	route("GET /read", func(*http.Request, *session.Session[data], data) error { return nil })
	route("POST /merge", func(_ *http.Request, s *session.Session[data], body data) error {
		for key, value := range body {
			session.Put(s, key, value)
		}
		return nil
	})
	route("POST /drop", func(_ *http.Request, s *session.Session[data], body data) error {
		s.Update(func(d *data) { delete(*d, body["key"].(string)) })
		return nil
	})
	route("POST /count", func(_ *http.Request, s *session.Session[data], _ data) error {
		s.Update(count)
		return nil
	})
	route("POST /lifetime", func(_ *http.Request, s *session.Session[data], body data) error {
		s.SetMaxAge(time.Duration(body["ms"].(float64)) * time.Millisecond)
		session.Put(s, "lifetime", body["ms"])
		return nil
	})
	route("POST /login", func(r *http.Request, s *session.Session[data], body data) error {
		if err := s.Regenerate(r.Context()); err != nil {
			return err
		}
		session.Put(s, "user", body["user"])
		return nil
	})
	route("POST /regenerate", func(r *http.Request, s *session.Session[data], _ data) error {
		return s.Regenerate(r.Context())
	})
	route("POST /enter", func(r *http.Request, s *session.Session[data], body data) error {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			return err
		}
		session.Put(s, "user", body["user"])
		return nil
	})
	route("POST /renew", func(r *http.Request, s *session.Session[data], _ data) error {
		return s.Renew(r.Context())
	})
	route("POST /logout", func(r *http.Request, s *session.Session[data], _ data) error {
		return s.Destroy(r.Context())
	})
	route("POST /own", func(_ *http.Request, s *session.Session[data], body data) error {
		s.SetOwner(body["owner"].(string))
		return nil
	})
}

func count(d *data) {
	visits, _ := (*d)["visits"].(float64)
	(*d)["visits"] = visits + 1
}
