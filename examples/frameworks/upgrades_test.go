package frameworks_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"

	"github.com/nestsession/session"
)

// gorilla's upgrader writes a response of its own. Without the session's cookie in it, a new
// session is not stored; Commit puts the cookie into the header that it sends.
func TestGorillaWebSocket(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]func(*manager, *http.Request, *session.Session[account]) http.Header{
		"without a header": func(*manager, *http.Request, *session.Session[account]) http.Header { return nil },
		"Commit": func(m *manager, r *http.Request, s *session.Session[account]) http.Header {
			h := http.Header{}
			if err := m.Commit(r.Context(), s, h); err != nil {
				t.Errorf("Commit: %v", err)
			}
			return h
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager(t)
			srv := httptest.NewServer(m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.Count++ })
				conn, err := new(websocket.Upgrader).Upgrade(w, r, header(m, r, s))
				if err != nil {
					t.Errorf("Upgrade: %v", err)
					return
				}
				_ = conn.Close()
			}))
			defer srv.Close()
			conn, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http"), nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _, _ = conn.ReadMessage() // the handler has returned
			_ = conn.Close()
			check(t, m, res, name == "Commit")
		})
	}
}

// coder's Accept writes its 101 through net/http, with the cookie.
func TestCoderWebSocket(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	srv := httptest.NewServer(m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
		conn, err := coder.Accept(w, r, nil)
		if err != nil {
			t.Errorf("Accept: %v", err)
			return
		}
		_ = conn.CloseNow()
	}))
	defer srv.Close()
	conn, res, err := coder.Dial(t.Context(), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _ = conn.Read(t.Context())
	_ = conn.CloseNow()
	check(t, m, res, true)
}

// A request that is no upgrade gets the upgrader's error page, with the cookie.
func TestGorillaWebSocketRefuses(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	w := httptest.NewRecorder()
	m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
		if _, err := new(websocket.Upgrader).Upgrade(w, r, nil); err == nil {
			t.Error("Upgrade succeeded")
		}
	})(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusBadRequest {
		t.Errorf("answered %d", w.Code)
	}
	check(t, m, w.Result(), true)
}

// check checks that the response has the cookie of a stored session; or that no session is stored.
func check(t *testing.T, m *manager, res *http.Response, want bool) {
	t.Helper()
	cookies := res.Cookies()
	if (len(cookies) == 1) != want {
		t.Fatalf("cookies: %v", cookies)
	}
	if want && stored(m, cookies[0]).Count != 1 {
		t.Errorf("the session holds %+v", stored(m, cookies[0]))
	}
	n := 0
	for _, err := range m.ListAll(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if (n == 1) != want {
		t.Errorf("%d sessions are stored", n)
	}
}
