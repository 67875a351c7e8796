package session_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// firstByte is a ResponseWriter that notes what had happened when the header left.
type firstByte struct {
	*httptest.ResponseRecorder
	left func(how string)
}

func (w *firstByte) leave(how string) {
	if w.left != nil {
		w.left(how)
		w.left = nil
	}
}

func (w *firstByte) WriteHeader(code int) {
	if code >= 200 || code == http.StatusSwitchingProtocols {
		w.leave("WriteHeader")
		w.ResponseRecorder.WriteHeader(code) // which takes every code for the final one
	}
}

func (w *firstByte) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func (w *firstByte) Write(p []byte) (int, error) {
	w.leave("Write")
	return w.ResponseRecorder.Write(p)
}

func (w *firstByte) ReadFrom(r io.Reader) (int64, error) {
	w.leave("ReadFrom")
	return io.Copy(struct{ io.Writer }{w.ResponseRecorder}, r)
}

func (w *firstByte) FlushError() error {
	w.leave("Flush")
	w.Flush()
	return nil
}

func (w *firstByte) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.leave("Hijack")
	a, b := net.Pipe()
	_ = b.Close()
	return a, bufio.NewReadWriter(bufio.NewReader(a), bufio.NewWriter(a)), nil
}

// ways are all ways in which a handler can send the headers.
func ways(t *testing.T) map[string]func(http.ResponseWriter, *http.Request) {
	file := filepath.Join(t.TempDir(), "page.txt")
	if err := os.WriteFile(file, []byte("the page"), 0o600); err != nil {
		t.Fatal(err)
	}
	content := strings.NewReader("the page")
	return map[string]func(http.ResponseWriter, *http.Request){
		"WriteHeader": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
		"Write":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("the page")) },
		"WriteString": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") },
		"Copy":        func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("the page")) },
		"ReadFrom": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
		},
		"Flush":                  func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
		"ResponseController":     func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
		"Redirect":               func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/next", http.StatusSeeOther) },
		"Error":                  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		"NotFound":               func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"ServeContent":           func(w http.ResponseWriter, r *http.Request) { http.ServeContent(w, r, "x.txt", time.Time{}, content) },
		"ServeFile":              func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) },
		"204":                    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"304":                    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"101":                    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) },
		"103 and then the final": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusEarlyHints); w.WriteHeader(200) },
		"return":                 func(http.ResponseWriter, *http.Request) {},
	}
}

// hijacks are the ways in which a handler can take the connection over.
var hijacks = map[string]func(http.ResponseWriter, *http.Request){
	"Hijack":            func(w http.ResponseWriter, _ *http.Request) { hijack(w.(http.Hijacker).Hijack()) },
	"controlled Hijack": func(w http.ResponseWriter, _ *http.Request) { hijack(http.NewResponseController(w).Hijack()) },
}

func hijack(c net.Conn, _ *bufio.ReadWriter, err error) {
	if err == nil {
		_ = c.Close()
	}
}

// "Automatic save happens before anything that can send the header: WriteHeader (1xx
// aside, 101 included), Write, Flush, ReadFrom, Hijack, the handler's return."
func TestPromise05_SavedBeforeTheHeaderLeaves(t *testing.T) {
	t.Parallel()
	for name, send := range ways(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s})
			w := &firstByte{ResponseRecorder: httptest.NewRecorder()}
			var at string
			w.left = func(how string) {
				at = how
				if recs := records(t, s); len(recs) != 1 || !strings.Contains(string(recs[0].Data), `"name":"ada"`) {
					t.Errorf("%s sent the headers before the session was saved: %v", how, recs)
				}
				if len(w.Header().Values("Set-Cookie")) != 1 {
					t.Errorf("%s sent the headers without the cookie: %v", how, w.Header())
				}
			}
			m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.User = &user{Name: "ada"} })
				send(w, r)
			})(w, newBrowser().request("GET", "/"))
			if at == "" && name != "return" {
				t.Error("no header left")
			}
			if recs := records(t, s); len(recs) != 1 {
				t.Errorf("%d records at the end, want 1", len(recs))
			}
		})
	}
}

// "If it fails, the client gets the error response alone, nothing of the handler's
// body."
func TestPromise05_AFailedSaveIsAnsweredByTheErrorAlone(t *testing.T) {
	t.Parallel()
	for name, send := range ways(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s})
			var refused error
			inner := m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
				ses.Update(func(a *account) { a.Count++ })
				s.before = failing("create")
				h := w.Header()
				h.Set("X-From", "the handler")
				h.Set("Etag", `"1"`)
				h.Set("Content-Type", "image/png")
				h.Set("Content-Length", "8")
				h.Set("Cache-Control", "public, max-age=3600")
				h.Del("X-Before")
				h.Add("Vary", "Origin")
				http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
				send(w, r)
				// The handler goes on, as handlers do.
				_, refused = w.Write([]byte("the page"))
				w.WriteHeader(http.StatusOK)
				w.Header().Set("X-From", "the handler")
				w.Header().Set(http.TrailerPrefix+"X-From", "the handler")
			})
			outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Before", "outer middleware")
				w.Header().Set("Vary", "Accept")
				inner(w, r)
			})
			w := &firstByte{ResponseRecorder: httptest.NewRecorder()}
			outer(w, newBrowser().request("GET", "/"))
			res := w.Result()
			wantErrorAlone(t, res, http.StatusServiceUnavailable)
			if got := res.Header.Get("X-Before"); got != "outer middleware" {
				t.Errorf("the outer middleware's header is %q", got)
			}
			if got := strings.Join(res.Header.Values("Vary"), "|"); got != "Accept" {
				t.Errorf("Vary is %q, want the outer middleware's alone", got)
			}
			for _, name := range []string{"Cache-Control", "Content-Length"} {
				if got := res.Header.Get(name); got != "" {
					t.Errorf("%s is %q", name, got)
				}
			}
			if got := res.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type is %q", got)
			}
			if len(res.Trailer) > 0 {
				t.Errorf("trailers: %v", res.Trailer)
			}
			if name != "return" && refused == nil {
				t.Error("a Write after the failed save succeeded")
			}
		})
	}
}

// The connection is not handed over when the save before it fails.
func TestPromise05_AFailedSaveKeepsTheConnection(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "ada")
	w := &firstByte{ResponseRecorder: httptest.NewRecorder()}
	w.left = func(how string) {
		if how == "Hijack" {
			t.Error("the connection was taken over, and the save had failed")
		}
	}
	m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
		ses.Update(func(a *account) { a.Count++ })
		s.before = failing("update")
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil || c != nil {
			t.Error("Hijack succeeded")
		}
	})(w, b.request("GET", "/"))
	wantErrorAlone(t, w.Result(), http.StatusServiceUnavailable)
}

// "Changes after the header are saved at return."
func TestPromise05_ChangesAfterTheHeaderAreSavedAtReturn(t *testing.T) {
	t.Parallel()
	all := ways(t)
	maps.Copy(all, hijacks)
	for name, send := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{})
			b := newBrowser()
			login(t, m, b, "ada")
			w := &firstByte{ResponseRecorder: httptest.NewRecorder()}
			m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.Count++ })
				send(w, r)
				s.Update(func(a *account) { a.Count++ })
				s.SetOwner("user:1")
			})(w, b.request("GET", "/"))
			if got := peek(m, b).Count; got != 2 {
				t.Errorf("the counter is %d, want 2", got)
			}
			if infos := list(t, m, "user:1"); len(infos) != 1 {
				t.Errorf("the owner has %d sessions, want 1", len(infos))
			}
		})
	}
}

func list[T any](t testing.TB, m *session.Manager[T], owner string) (all []session.Info[T]) {
	t.Helper()
	listing := m.List(t.Context(), owner)
	if owner == "" {
		listing = m.ListAll(t.Context())
	}
	for info, err := range listing {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		all = append(all, info)
	}
	return all
}

// What comes too late to be told to the client is refused, or dropped and reported.
func TestPromise05_ANewSessionAfterTheHeaderIsDroppedAndReported(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
	do(m, newBrowser(), func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		w.WriteHeader(http.StatusOK)
		ses.Update(func(a *account) { a.Count++ })
		if err := ses.Save(r.Context()); !errors.Is(err, session.ErrHeaderSent) {
			t.Errorf("Save returned %v, want ErrHeaderSent", err)
		}
		log.take()
	})
	if got := log.kinds(); got != "dropped: header already sent" {
		t.Errorf("events: %q", got)
	}
	if n := len(records(t, s)); n != 0 {
		t.Errorf("%d records that no client can return to", n)
	}

	b := newBrowser()
	login(t, m, b, "ada")
	do(m, b, func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		w.WriteHeader(http.StatusOK)
		for name, call := range map[string]func(context.Context) error{"Regenerate": ses.Regenerate, "Renew": ses.Renew} {
			if err := call(r.Context()); !errors.Is(err, session.ErrHeaderSent) {
				t.Errorf("%s returned %v, want ErrHeaderSent", name, err)
			}
		}
	})
	if who := whoami(m, b); who != "ada" {
		t.Errorf("logged in as %q, want ada", who)
	}
}

// The handler of the error gets the error and the writer, and decides.
func TestPromise05_TheErrorHandlerAnswers(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	var m *session.Manager[account]
	m = newManager[account](t, session.Config{Store: s, ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
		if !errors.Is(err, errDown) {
			t.Errorf("the error handler got %v", err)
		}
		if _, ok := m.From(r.Context()); !ok {
			t.Error("the error handler does not find the session")
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "later, please")
	}})
	res := do(m, newBrowser(), func(w http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
		ses.Update(func(a *account) { a.Count++ })
		s.before = failing("create")
		w.Header().Set("X-From", "the handler")
		_, _ = w.Write([]byte("the page"))
	})
	if got := body(t, res); res.StatusCode != http.StatusBadGateway || got != "later, please" || res.Header.Get("Retry-After") != "1" {
		t.Errorf("answered %d %q %v", res.StatusCode, got, res.Header)
	}
	if res.Header.Get("X-From") != "" {
		t.Error("the handler's header is in the error response")
	}
}
