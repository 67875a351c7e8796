package frameworks_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	coder "github.com/coder/websocket"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/frameworks"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// checks are what each framework is asked, in its real package. A framework that has no such
// thing says so in its lacks.
var checks = map[string]func(*testing.T, *site){
	"login":                    checkLogin,
	"login in a session":       checkLoginInASession,
	"redirect":                 checkRedirect,
	"error after update":       checkError,
	"error after login":        checkErrorAfterLogin,
	"client's error":           checkClientsError,
	"own 500":                  checkOwn500,
	"panic":                    checkPanic,
	"panic after login":        checkPanicAfterLogin,
	"stream":                   checkStream,
	"stream of a visitor":      checkStreamOfAVisitor,
	"store down":               checkStoreDown,
	"store down at the save":   checkStoreDownAtTheSave,
	"WebSocket":                checkWebSocket,
	"WebSocket of a visitor":   checkWebSocketOfAVisitor,
	"logout":                   checkLogout,
	"error after logout":       checkErrorAfterLogout,
	"two cookies of a name":    checkTwoCookies("; "),
	"two lines of cookies":     checkTwoCookies("\nCookie: "),
	"visitors are not stored":  checkVisitor,
	"a cookie of another name": checkOtherCookie,
}

// outcome is what a page does when it is done with the session.
type outcome struct {
	status   int // that it writes; 0 is 200
	location string
	text     string
	err      int  // returns an error of the framework's with this status
	panics   bool // after it has begun its response where that is buffered
}

type (
	sess = frameworks.Session
	page func(ctx context.Context, s *sess, user string) outcome
)

func login2(ctx context.Context, s *sess, user string) error {
	if err := s.Login(ctx, "user:"+user); err != nil {
		return err
	}
	s.Update(func(a *frameworks.Account) { a.User = user })
	return nil
}

// pages are the routes of each framework. Each is a POST.
var pages = map[string]page{
	"/me": func(_ context.Context, s *sess, _ string) outcome {
		return outcome{text: "user=" + s.Data().User + "."}
	},
	"/login": func(ctx context.Context, s *sess, user string) outcome {
		if err := login2(ctx, s, user); err != nil {
			return outcome{err: http.StatusServiceUnavailable}
		}
		return outcome{text: "welcome"}
	},
	"/redirect": func(ctx context.Context, s *sess, user string) outcome {
		if err := login2(ctx, s, user); err != nil {
			return outcome{err: http.StatusServiceUnavailable}
		}
		return outcome{status: http.StatusSeeOther, location: "/elsewhere"}
	},
	"/set": func(_ context.Context, s *sess, user string) outcome {
		s.Update(func(a *frameworks.Account) { a.User = user })
		return outcome{text: "done"}
	},
	"/set-fail": func(_ context.Context, s *sess, user string) outcome {
		s.Update(func(a *frameworks.Account) { a.User = user })
		return outcome{err: http.StatusInternalServerError}
	},
	"/login-fail": func(ctx context.Context, s *sess, user string) outcome {
		if err := s.Login(ctx, "user:"+user); err != nil {
			return outcome{err: http.StatusServiceUnavailable}
		}
		s.Update(func(a *frameworks.Account) { a.User = "half of " + user })
		return outcome{err: http.StatusInternalServerError}
	},
	"/set-refuse": func(_ context.Context, s *sess, user string) outcome {
		s.Update(func(a *frameworks.Account) { a.User = user })
		return outcome{err: http.StatusForbidden}
	},
	"/set-500": func(_ context.Context, s *sess, user string) outcome {
		s.Update(func(a *frameworks.Account) { a.User = user })
		return outcome{status: http.StatusInternalServerError, text: "the page's own"}
	},
	"/set-panic": func(_ context.Context, s *sess, user string) outcome {
		s.Update(func(a *frameworks.Account) { a.User = user })
		return outcome{panics: true}
	},
	"/login-panic": func(ctx context.Context, s *sess, user string) outcome {
		if err := s.Login(ctx, "user:"+user); err != nil {
			return outcome{err: http.StatusServiceUnavailable}
		}
		s.Update(func(a *frameworks.Account) { a.User = "half of " + user })
		return outcome{panics: true}
	},
	"/logout": func(ctx context.Context, s *sess, _ string) outcome {
		if err := s.Destroy(ctx); err != nil {
			return outcome{err: http.StatusServiceUnavailable}
		}
		return outcome{text: "bye"}
	},
	"/logout-fail": func(ctx context.Context, s *sess, _ string) outcome {
		if err := s.Destroy(ctx); err != nil {
			return outcome{err: http.StatusServiceUnavailable}
		}
		return outcome{err: http.StatusInternalServerError}
	},
}

// streamed sends a line, and one more when the session has ended, which must not arrive.
func streamed(ctx context.Context, send func(string) error) {
	if send("first") != nil {
		return
	}
	<-ctx.Done()
}

// downStore fails when a test says so.
type downStore struct {
	store.Store
	watch       store.Watcher
	loads, save atomic.Bool
}

func (d *downStore) Watch(ctx context.Context, fn func(store.Event)) error {
	return d.watch.Watch(ctx, fn)
}

func (d *downStore) Unwrap() store.Store { return d.Store }

func (d *downStore) Load(ctx context.Context, id string) (store.Record, error) {
	if d.loads.Load() {
		return store.Record{}, errDown
	}
	return d.Store.Load(ctx, id)
}

func (d *downStore) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if d.save.Load() {
		return 0, errDown
	}
	return d.Store.Create(ctx, r)
}

func (d *downStore) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if d.save.Load() {
		return 0, errDown
	}
	return d.Store.Update(ctx, r)
}

var errDown = errors.New("the store is down")

// site is a server of a framework, with a browser.
type site struct {
	m       *frameworks.Manager
	store   *downStore
	events  chan session.Event
	url     string
	browser *http.Client
	framework
}

// framework serves pages, /stream and /socket.
type framework struct {
	serve func(t *testing.T, m *frameworks.Manager) (url string)
	lacks map[string]string // checks, and why there is no such thing

	header http.Header // of each request
	body   string      // of each request
	stream string      // the body that opens a stream
}

func TestFrameworks(t *testing.T) {
	t.Parallel()
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for check, run := range checks {
				if f.lacks[check] != "" {
					continue
				}
				t.Run(check, func(t *testing.T) {
					t.Parallel()
					run(t, newSite(t, f))
				})
			}
		})
	}
}

func newSite(t *testing.T, f framework) *site {
	t.Helper()
	mem := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = mem.Close() })
	s := &site{store: &downStore{Store: mem, watch: mem}, events: make(chan session.Event, 100), framework: f}
	m, err := session.New[frameworks.Account](session.Config{
		Secrets: []string{"a secret for tests, 32 bytes or so"},
		Cookie:  session.Cookie{Secure: session.SecureAuto},
		Logger:  slog.New(slog.DiscardHandler), Store: s.store,
		OnEvent: func(_ context.Context, e session.Event) { s.events <- e },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	s.m, s.browser = m, client(t, nil)
	s.browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.url = f.serve(t, m)
	return s
}

// send sends a request and does not read the body.
func (s *site) send(t *testing.T, path, body string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, lines := range s.header {
		r.Header[name] = lines
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := s.browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

type response struct {
	*http.Response
	text string
}

func (s *site) post(t *testing.T, path string, headers ...string) response {
	t.Helper()
	res := s.send(t, path, s.body, headers...)
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{res, string(text)}
}

// want asks for a page, with a status and a text.
func (s *site) want(t *testing.T, path string, status int, text string) response {
	t.Helper()
	res := s.post(t, path)
	if res.StatusCode != status || !strings.Contains(res.text, text) {
		t.Errorf("%s: answered %s %q, want %d %q", path, res.Status, res.text, status, text)
	}
	return res
}

// is asks who the user is.
func (s *site) is(t *testing.T, user string) {
	t.Helper()
	s.want(t, "/me", 200, "user="+user+".")
}

func (s *site) cookie(t *testing.T) string {
	t.Helper()
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.browser.Jar.Cookies(at) {
		if c.Name == s.m.CookieName() {
			return c.Value
		}
	}
	return ""
}

// dropped checks that an event has reported why the changes are lost.
func (s *site) dropped(t *testing.T) {
	t.Helper()
	for {
		select {
		case e := <-s.events:
			if e.Kind == session.EventDropped && (e.Reason == session.ReasonFailed || e.Reason == session.ReasonPanicked) {
				return
			}
		default:
			t.Error("no event reports that the changes are dropped")
			return
		}
	}
}

func checkLogin(t *testing.T, s *site) {
	s.is(t, "")
	s.want(t, "/login?user=ada", 200, "welcome")
	s.is(t, "ada")
}

func checkLoginInASession(t *testing.T, s *site) {
	s.want(t, "/set?user=visitor", 200, "done")
	before := s.cookie(t)
	s.want(t, "/login?user=ada", 200, "welcome")
	if after := s.cookie(t); before == "" || after == before || after == "" {
		t.Errorf("the cookie was %q and is %q after the login", before, after)
	}
	s.is(t, "ada")
}

func checkRedirect(t *testing.T, s *site) {
	res := s.want(t, "/redirect?user=ada", http.StatusSeeOther, "")
	if to := res.Header.Get("Location"); !strings.HasSuffix(to, "/elsewhere") {
		t.Errorf("leads to %q", to)
	}
	s.is(t, "ada")
}

func checkError(t *testing.T, s *site) {
	s.want(t, "/login?user=ada", 200, "")
	s.want(t, "/set-fail?user=eve", http.StatusInternalServerError, "")
	s.dropped(t)
	s.is(t, "ada")
	if s.m != nil && s.cookie(t) == "" {
		t.Error("the cookie is gone")
	}
}

func checkErrorAfterLogin(t *testing.T, s *site) {
	s.want(t, "/set?user=visitor", 200, "done")
	s.want(t, "/login-fail?user=ada", http.StatusInternalServerError, "")
	s.is(t, "visitor") // in the session of ada: the login has stored it, and the cookie came
	if n := s.owned(t, "user:ada"); n != 1 {
		t.Errorf("ada has %d sessions", n)
	}
	s.want(t, "/logout", 200, "bye")
	if n := s.owned(t, "user:ada"); n != 0 {
		t.Errorf("the browser cannot log out: ada has %d sessions", n)
	}
}

func (s *site) owned(t *testing.T, owner string) (n int) {
	t.Helper()
	for _, err := range s.m.List(t.Context(), owner) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func checkClientsError(t *testing.T, s *site) {
	s.want(t, "/set-refuse?user=ada", http.StatusForbidden, "")
	s.is(t, "ada")
}

func checkOwn500(t *testing.T, s *site) {
	s.want(t, "/set-500?user=ada", http.StatusInternalServerError, "the page's own")
	s.is(t, "ada")
}

func checkPanic(t *testing.T, s *site) {
	s.want(t, "/login?user=ada", 200, "")
	s.want(t, "/set-panic?user=eve", http.StatusInternalServerError, "")
	s.dropped(t)
	s.is(t, "ada")
	s.browser = client(t, nil) // a visitor
	s.want(t, "/set-panic?user=eve", http.StatusInternalServerError, "")
	if got := s.cookie(t); got != "" {
		t.Errorf("a visitor's panic sets the cookie %q", got)
	}
}

func checkPanicAfterLogin(t *testing.T, s *site) {
	s.want(t, "/set?user=visitor", 200, "done")
	s.want(t, "/login-panic?user=ada", http.StatusInternalServerError, "")
	s.is(t, "visitor")
	s.want(t, "/logout", 200, "bye")
	if n := s.owned(t, "user:ada"); n != 0 {
		t.Errorf("the browser cannot log out: ada has %d sessions", n)
	}
}

func checkStream(t *testing.T, s *site) {
	s.want(t, "/login?user=ada", 200, "")
	res := s.send(t, "/stream?user=grace", s.stream)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("answered %s", res.Status)
	}
	var got bytes.Buffer
	buf := make([]byte, 100)
	for !strings.Contains(got.String(), "first") {
		n, err := res.Body.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			t.Fatalf("%q, %v", &got, err)
		}
	}
	s.is(t, "grace") // what the handler has changed is saved before the first byte
	if _, err := s.m.RevokeOwner(t.Context(), "user:ada"); err != nil {
		t.Fatal(err)
	}
	_, err := got.ReadFrom(res.Body) // it ends
	if err != nil {
		t.Error(err)
	}
	s.is(t, "")
}

func checkStreamOfAVisitor(t *testing.T, s *site) {
	if res := s.send(t, "/stream", s.stream); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("answered %s", res.Status)
	}
}

func checkStoreDown(t *testing.T, s *site) {
	s.want(t, "/login?user=ada", 200, "")
	before := s.cookie(t)
	s.store.loads.Store(true)
	for _, path := range []string{"/me", "/login?user=eve", "/set?user=eve", "/logout"} {
		res := s.want(t, path, http.StatusServiceUnavailable, "")
		if strings.Contains(res.text, "user=") || strings.Contains(res.text, errDown.Error()) || len(res.Cookies()) > 0 {
			t.Errorf("%s: answered %q, with the cookies %v", path, res.text, res.Cookies())
		}
	}
	s.store.loads.Store(false)
	s.is(t, "ada")
	if s.cookie(t) != before {
		t.Error("the cookie has changed")
	}
}

func checkStoreDownAtTheSave(t *testing.T, s *site) {
	s.want(t, "/login?user=ada", 200, "")
	s.store.save.Store(true)
	res := s.want(t, "/set?user=eve", http.StatusServiceUnavailable, "")
	if strings.Contains(res.text, "done") || res.Header.Get("X-Page") != "" {
		t.Errorf("answered %q, %v", res.text, res.Header)
	}
	s.browser = client(t, nil)
	res = s.want(t, "/login?user=eve", http.StatusServiceUnavailable, "")
	if len(res.Cookies()) > 0 {
		t.Errorf("a login that is not saved sets %v", res.Cookies())
	}
}

func (s *site) dial(t *testing.T) (*coder.Conn, *http.Response) {
	t.Helper()
	conn, res, err := coder.Dial(t.Context(), "ws"+strings.TrimPrefix(s.url, "http")+"/socket?user=grace", &coder.DialOptions{HTTPClient: s.browser})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if _, text, err := conn.Read(t.Context()); err != nil || string(text) != "first" {
		t.Fatalf("%q, %v", text, err)
	}
	return conn, res
}

func checkWebSocket(t *testing.T, s *site) {
	s.want(t, "/login?user=ada", 200, "")
	conn, _ := s.dial(t)
	s.is(t, "grace")
	s.want(t, "/logout", 200, "")
	if _, text, err := conn.Read(t.Context()); err == nil {
		t.Errorf("got %q after the logout", text)
	}
}

// The session of a visitor begins with the WebSocket: its cookie is in the 101 response.
func checkWebSocketOfAVisitor(t *testing.T, s *site) {
	_, res := s.dial(t)
	if len(res.Cookies()) != 1 {
		t.Fatalf("the cookies: %v", res.Cookies())
	}
	s.is(t, "grace")
}

func checkLogout(t *testing.T, s *site) {
	s.want(t, "/login?user=ada", 200, "")
	before := s.cookie(t)
	s.want(t, "/logout", 200, "bye")
	if got := s.cookie(t); got != "" {
		t.Errorf("the cookie is still %q", got)
	}
	s.is(t, "")
	res := s.post(t, "/me", "Cookie", s.m.CookieName()+"="+before)
	if !strings.Contains(res.text, "user=.") {
		t.Errorf("a copy of the cookie: %s %q", res.Status, res.text)
	}
}

func checkErrorAfterLogout(t *testing.T, s *site) {
	s.want(t, "/login?user=ada", 200, "")
	s.want(t, "/logout-fail", http.StatusInternalServerError, "")
	if got := s.cookie(t); got != "" {
		t.Errorf("the cookie is still %q", got)
	}
	s.is(t, "")
}

// checkTwoCookies compares with net/http.
func checkTwoCookies(between string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		s.want(t, "/login?user=ada", 200, "")
		real, name := s.cookie(t), s.m.CookieName()
		s.browser.Jar = nil
		for _, both := range []string{name + "=planted" + between + name + "=" + real, name + "=" + real + between + name + "=planted"} {
			var headers []string
			r := httptest.NewRequest("GET", "/", nil)
			for line := range strings.SplitSeq(both, "\nCookie: ") {
				headers = append(headers, "Cookie", line)
				r.Header.Add("Cookie", line)
			}
			w := httptest.NewRecorder()
			s.m.HandlerFunc(func(http.ResponseWriter, *http.Request, *sess) {})(w, r)
			res := s.post(t, "/me", headers...)
			if !strings.Contains(res.text, "user=ada.") {
				t.Errorf("%s: answered %q", both, res.text)
			}
			got, want := res.Header.Values("Set-Cookie"), w.Header().Values("Set-Cookie")
			if len(want) < 2 || len(got) != len(want) {
				t.Errorf("the cookies: %q, net/http has %q", got, want)
			}
		}
	}
}

func checkVisitor(t *testing.T, s *site) {
	if res := s.want(t, "/me", 200, "user=."); len(res.Cookies()) > 0 {
		t.Errorf("the cookies: %v", res.Cookies())
	}
	for _, err := range s.m.ListAll(t.Context()) {
		t.Error("a visitor is stored", err)
	}
}

func checkOtherCookie(t *testing.T, s *site) {
	s.want(t, "/login?user=ada", 200, "")
	res := s.post(t, "/me", "Cookie", "theme=dark")
	if !strings.Contains(res.text, "user=ada.") {
		t.Errorf("answered %q", res.text)
	}
}

func status(o outcome) int {
	if o.status == 0 {
		return http.StatusOK
	}
	return o.status
}

func oops(status int) string { return "failed with " + strconv.Itoa(status) }
