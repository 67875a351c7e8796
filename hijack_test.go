package session_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// unwilling cannot hand its connection over, though it has the method.
type unwilling struct{ *httptest.ResponseRecorder }

func (unwilling) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("not this one")
}

// After a Hijack that failed the response goes on as if nothing had been asked: saved
// once, with one cookie, and the id may still change.
func TestAFailedHijackChangesNothing(t *testing.T) {
	t.Parallel()
	writers := map[string]func(*httptest.ResponseRecorder) http.ResponseWriter{
		"without the method": func(w *httptest.ResponseRecorder) http.ResponseWriter { return struct{ http.ResponseWriter }{w} },
		"unwilling":          func(w *httptest.ResponseRecorder) http.ResponseWriter { return unwilling{w} },
	}
	for kind, wrap := range writers {
		for _, known := range []bool{false, true} {
			for name, then := range map[string]func(http.ResponseWriter, *http.Request, *session.Session[account]){
				"error page": func(w http.ResponseWriter, _ *http.Request, _ *session.Session[account]) {
					http.Error(w, "upgrade failed", http.StatusInternalServerError)
				},
				"fallback": func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
					s.Update(func(a *account) { a.Tags = append(a.Tags, "fallback") })
					fmt.Fprint(w, "the fallback")
				},
				"renewal": func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
					if err := s.Renew(r.Context()); err != nil {
						t.Errorf("Renew: %v", err)
					}
				},
			} {
				t.Run(fmt.Sprint(kind, "/known ", known, "/", name), func(t *testing.T) {
					t.Parallel()
					s := newHooked(t)
					m := newManager[account](t, session.Config{Store: s, Rolling: true})
					b := newBrowser()
					if known {
						login(t, m, b, "ada")
					}
					rec := httptest.NewRecorder()
					m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
						s.Update(func(a *account) { a.Count++ })
						if c, _, err := http.NewResponseController(w).Hijack(); err == nil || c != nil {
							t.Error("Hijack succeeded")
						}
						then(w, r, s)
					})(wrap(rec), b.request("GET", "/"))
					res := rec.Result()
					if got := res.Header.Values("Set-Cookie"); len(got) != 1 {
						t.Errorf("cookies: %q, want one", got)
					}
					b.receive(res)
					data := peek(m, b)
					if data.Count != 1 || (data.name() == "ada") != known || (len(data.Tags) == 1) != (name == "fallback") {
						t.Errorf("stored %+v", data)
					}
				})
			}
		}
	}
}

// Whoever takes a connection over writes the response: a new session, which its client
// could not learn of, is not stored, and that is reported; and so is a new id.
func TestAHijackWithACookieDue(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		known  bool
		before func(*testing.T, *http.Request, *session.Session[account])
		events string
		stored int
	}{
		"a new session": {
			before: func(_ *testing.T, _ *http.Request, s *session.Session[account]) { count(s) },
			events: "cookie not sent: connection was taken over, dropped: connection was taken over",
		},
		"a new session, unchanged": {
			before: func(_ *testing.T, _ *http.Request, s *session.Session[account]) { s.Update(func(*account) {}) },
		},
		"a known session": {
			known:  true,
			before: func(_ *testing.T, _ *http.Request, s *session.Session[account]) { count(s) },
			stored: 1,
		},
		"a renewed session": {
			known: true,
			before: func(t *testing.T, r *http.Request, s *session.Session[account]) {
				if err := s.Renew(r.Context()); err != nil {
					t.Errorf("Renew: %v", err)
				}
			},
			events: "renewed, cookie not sent: connection was taken over",
			stored: 1,
		},
		"a saved session": {
			before: func(t *testing.T, r *http.Request, s *session.Session[account]) {
				count(s)
				if err := s.Save(r.Context()); err != nil {
					t.Errorf("Save: %v", err)
				}
			},
			events: "created, cookie not sent: connection was taken over",
			stored: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			m := newManager[account](t, session.Config{OnEvent: log.add})
			b := newBrowser()
			if test.known {
				login(t, m, b, "ada")
			}
			log.take()
			w := &firstByte{ResponseRecorder: httptest.NewRecorder()}
			m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				test.before(t, r, s)
				hijack(http.NewResponseController(w).Hijack())
				if err := s.Renew(r.Context()); !errors.Is(err, session.ErrHeaderSent) {
					t.Errorf("Renew after Hijack: %v", err)
				}
			})(w, b.request("GET", "/"))
			if got := log.kinds(); got != test.events {
				t.Errorf("events: %q, want %q", got, test.events)
			}
			if got := len(list(t, m, "")); got != test.stored {
				t.Errorf("%d sessions are stored, want %d", got, test.stored)
			}
			if got := w.Header().Values("Set-Cookie"); len(got) != 0 {
				t.Errorf("cookies in a header that nobody sends: %q", got)
			}
		})
	}
}

// Commit into the header that the upgrade will send lets the cookie leave, whatever
// takes the connection over.
func TestCommitBeforeAHijack(t *testing.T) {
	t.Parallel()
	var log journal
	m := newManager[account](t, session.Config{OnEvent: log.add})
	b := newBrowser()
	h := http.Header{}
	m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		count(s)
		if err := m.Commit(r.Context(), s, h); err != nil {
			t.Errorf("Commit: %v", err)
		}
		hijack(http.NewResponseController(w).Hijack())
		count(s)
	})(&firstByte{ResponseRecorder: httptest.NewRecorder()}, b.request("GET", "/"))
	b.receive(&http.Response{Header: h})
	if got := log.kinds(); got != "created" {
		t.Errorf("events: %q", got)
	}
	if got := peek(m, b).Count; got != 2 {
		t.Errorf("the counter is %d, want 2", got)
	}
}

// httputil.ReverseProxy passes an upgrade on, and sends the response's header with the
// session's cookie in it.
func TestAnUpgradeThroughAReverseProxyCarriesTheCookie(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n")
		_ = rw.Flush()
		_ = c.Close()
	}))
	t.Cleanup(backend.Close)
	to, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	var log journal
	m := newManager[account](t, session.Config{OnEvent: log.add})
	proxy := httputil.NewSingleHostReverseProxy(to)
	client, at := overNetwork(t, m.HandlerFunc(visits(proxy.ServeHTTP)), false)
	r := get(t, at)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser()
	b.receive(res)
	text, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if got := peek(m, b).Count; res.StatusCode != http.StatusSwitchingProtocols || got != 1 || strings.TrimSpace(string(text)) != "hello" {
		t.Errorf("answered %d %q, the counter is %d", res.StatusCode, text, got)
	}
	if got := log.kinds(); got != "created" {
		t.Errorf("events: %q", got)
	}

	// A client of a header gets its token.
	m = newManager[account](t, session.Config{Header: session.Header{Use: session.HeaderWins, Response: "X-New-Token"}})
	client, at = overNetwork(t, m.HandlerFunc(visits(proxy.ServeHTTP)), false)
	r = get(t, at)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	r.Header.Set("Authorization", "Bearer")
	if res, err = client.Do(r); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	a, count := newApp(t, "Authorization"), 0
	a.token = res.Header.Get("X-New-Token")
	a.do(m, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { count = s.Data().Count })
	if res.StatusCode != http.StatusSwitchingProtocols || count != 1 {
		t.Errorf("answered %d, with the token the counter is %d", res.StatusCode, count)
	}
}

// A cookie that was due before a Hijack that failed is in the response that goes on.
func TestAFailedHijackKeepsTheCookie(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	login(t, m, b, "ada")
	rec := httptest.NewRecorder()
	m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.SetMaxAge(time.Hour)
		if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
			t.Error("Hijack succeeded")
		}
		fmt.Fprint(w, "the fallback")
	})(unwilling{rec}, b.request("GET", "/"))
	if got := rec.Result().Cookies(); len(got) != 1 || got[0].Expires.IsZero() {
		t.Errorf("cookies: %v, want one that expires", got)
	}
}
