package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"
)

// twoServers is a site whose users are served by two servers.
func twoServers(t *testing.T) (s *site, urls [2]string) {
	t.Helper()
	s = setup(t)
	urls[0] = s.url
	_, urls[1] = s.serve(t, time.Hour, time.Now)
	return s, urls
}

// underWay is a request whose session the server has read, and which continues when the test says
// so.
type underWay struct {
	goOn   func()
	answer chan *http.Response
}

// finish lets the server answer, and applies the response to the jar as a browser does.
func (u underWay) finish(t *testing.T, jar http.CookieJar) int {
	t.Helper()
	u.goOn()
	select {
	case r := <-u.answer:
		if r == nil {
			t.Fatal("no answer")
		}
		jar.SetCookies(r.Request.URL, r.Cookies())
		return r.StatusCode
	case <-time.After(maxWait):
		t.Fatal("no answer has come")
	}
	return 0
}

// do sends a request with the browser's present cookies.
func (b *browser) do(r *http.Request, transport http.RoundTripper) chan *http.Response {
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	answer := make(chan *http.Response, 1)
	go func() {
		got, err := transport.RoundTrip(r)
		if err == nil {
			_ = got.Body.Close()
		}
		answer <- got
	}()
	return answer
}

// await fails unless the server reaches that point.
func await(t *testing.T, reached <-chan struct{}) {
	t.Helper()
	select {
	case <-reached:
	case <-time.After(maxWait):
		t.Fatal("the server has not come so far")
	}
}

// beginLogin sends a login without its body, which the server requests when it has read the
// session.
func (b *browser) beginLogin(t *testing.T, at string) underWay {
	t.Helper()
	read, write := io.Pipe()
	asked := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(asked) }})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/login", read)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = b.headers.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Expect", "100-continue")
	transport := &http.Transport{ExpectContinueTimeout: time.Hour}
	t.Cleanup(transport.CloseIdleConnections)
	answer := b.do(r, transport)
	await(t, asked)
	return underWay{func() {
		_, _ = io.WriteString(write, credentials("kim", "correct horse battery").Encode())
		_ = write.Close()
	}, answer}
}

// beginLogout sends a logout, which is held up before it ends the session.
func (b *browser) beginLogout(t *testing.T, at string) underWay {
	t.Helper()
	reached, goOn := make(chan struct{}), make(chan struct{})
	hold := func() { close(reached); <-goOn }
	b.sessions.onEnd.Store(&hold)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = b.headers.Clone()
	answer := b.do(r, http.DefaultTransport)
	await(t, reached)
	return underWay{func() { close(goOn) }, answer}
}

// A user with three tabs logs in, out and in again; all three requests are in progress at the same
// time, with the same cookie, at two servers. In whatever order they are answered, the user is
// logged in at the end: a logout removes no newer cookie from the browser and ends no session but
// its own.
func TestConcurrentLoginLogoutAndLoginEndLoggedIn(t *testing.T) {
	t.Parallel()
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for first := range 2 {
			t.Run(fmt.Sprint(order, first), func(t *testing.T) {
				t.Parallel()
				s, urls := twoServers(t)
				b := s.program()
				b.register("kim", "correct horse battery")
				at := func(i int) string { return urls[(first+i)%2] }
				tabs := [3]underWay{b.beginLogin(t, at(0)), b.beginLogout(t, at(1)), b.beginLogin(t, at(2))}
				want := [3]int{http.StatusOK, http.StatusNoContent, http.StatusOK}
				before := b.sid()
				for _, tab := range order {
					if got := tabs[tab].finish(t, b.jar); got != want[tab] {
						t.Errorf("tab %d is answered %d, want %d", tab, got, want[tab])
					}
				}
				for _, url := range urls {
					there := *b
					site := *s
					there.site, site.url = &site, url
					there.send(http.MethodGet, "/me", nil).want(t, http.StatusOK, `"username":"kim"`)
				}
				if b.sid() == before || s.loggedIn(before) {
					t.Error("the cookie from before is still worth something")
				}
			})
		}
	}
}

// A proxy drops the response of a login, so the browser has the old cookie, or none, and no client
// has the new session. The visitor logs in again at once, at the other server.
func TestAVisitorWhoseLoginResponseWasLostLogsInAgain(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(b *browser){
		"without a cookie": func(b *browser) { b.send(http.MethodPost, "/logout", nil).want(b.T, http.StatusNoContent) },
		"logged in":        func(*browser) {},
		"with a cookie whose session has ended": func(b *browser) {
			jar := b.jar
			b.jar = b.copyOfJar()
			b.send(http.MethodPost, "/logout", nil).want(b.T, http.StatusNoContent)
			b.jar = jar
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, urls := twoServers(t)
			upstream, err := url.Parse(urls[1])
			if err != nil {
				t.Fatal(err)
			}
			answered := make(chan int, 1)
			proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				w := httptest.NewRecorder()
				httputil.NewSingleHostReverseProxy(upstream).ServeHTTP(w, r)
				answered <- w.Code
				panic(http.ErrAbortHandler) // the client gets none of it
			}))
			t.Cleanup(proxy.Close)
			b := s.program()
			b.register("kim", "correct horse battery")
			before(b)
			old := b.sid()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, proxy.URL+"/login", strings.NewReader(credentials("kim", "correct horse battery").Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = b.headers.Clone()
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if got := <-b.do(r, http.DefaultTransport); got != nil {
				t.Fatalf("the proxy has answered %d", got.StatusCode)
			}
			if got := <-answered; got != http.StatusOK {
				t.Fatalf("the login that was cut off was answered %d", got)
			}
			if old != "" && s.loggedIn(old) {
				t.Error("the cookie from before is still worth something")
			}
			b.send(http.MethodGet, "/login", nil).want(t, http.StatusOK)
			b.login("kim", "correct horse battery").want(t, http.StatusOK)
			b.send(http.MethodGet, "/me", nil).want(t, http.StatusOK, `"username":"kim"`)
		})
	}
}

// copyOfJar returns another browser with the same cookies.
func (b *browser) copyOfJar() http.CookieJar {
	b.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	u, err := url.Parse(b.url)
	if err != nil {
		b.Fatal(err)
	}
	jar.SetCookies(u, b.jar.Cookies(u))
	return jar
}
