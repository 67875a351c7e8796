package session_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// visits is a handler that counts visits, and then answers with h.
func visits(h func(http.ResponseWriter, *http.Request)) handler {
	return func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
		h(w, r)
	}
}

// overNetwork serves h with TLS, HTTP/2 on top if asked, and returns the client and
// the address.
func overNetwork(t *testing.T, h http.Handler, http2 bool) (*http.Client, string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = http2
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.Client(), srv.URL
}

// fetch sends a request and checks that it was answered with a cookie of a session
// that was visited once.
func fetch(t *testing.T, m *session.Manager[account], client *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text := body(t, res)
	b := newBrowser()
	b.receive(res)
	if got := peek(m, b).Count; got != 1 {
		t.Errorf("the counter of the session in the response's cookie is %d, want 1 (Set-Cookie: %q)", got, res.Header.Values("Set-Cookie"))
	}
	return res, text
}

func get(t *testing.T, url string) *http.Request { return request(t, "GET", url) }

func request(t *testing.T, method, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Each kind of response reaches a real client as the handler wrote it, and with the
// cookie of a session that is saved, by HTTP/1.1 and by HTTP/2.
func TestPromise05_EveryKindOfResponse(t *testing.T) {
	t.Parallel()
	const text = "0123456789abcdefghijklmnopqrstuvwxyz"
	kinds := []struct {
		name, method string
		send         func(http.ResponseWriter, *http.Request)
		header       http.Header // of the request
		status       int
		body         string
		check        func(*testing.T, *http.Response)
	}{
		{name: "no body", send: func(http.ResponseWriter, *http.Request) {}, status: 200},
		{name: "body", send: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }, status: 200, body: text},
		{name: "HEAD", method: "HEAD", status: 200,
			send: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "36")
				fmt.Fprint(w, text)
			},
			check: func(t *testing.T, res *http.Response) {
				if res.ContentLength != 36 {
					t.Errorf("Content-Length is %d", res.ContentLength)
				}
			}},
		{name: "204", send: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, status: 204},
		{name: "304", send: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, status: 304},
		{name: "404", send: http.NotFound, status: 404, body: "404 page not found\n"},
		{name: "file", status: 200, body: text,
			send: func(w http.ResponseWriter, r *http.Request) {
				http.ServeContent(w, r, "f.txt", time.Time{}, strings.NewReader(text))
			},
			check: func(t *testing.T, res *http.Response) {
				if res.ContentLength != int64(len(text)) || res.Header.Get("Accept-Ranges") != "bytes" {
					t.Errorf("header %v, length %d", res.Header, res.ContentLength)
				}
			}},
		{name: "range", status: 206, body: "abc", header: http.Header{"Range": {"bytes=10-12"}},
			send: func(w http.ResponseWriter, r *http.Request) {
				http.ServeContent(w, r, "f.txt", time.Time{}, strings.NewReader(text))
			},
			check: func(t *testing.T, res *http.Response) {
				if got := res.Header.Get("Content-Range"); got != "bytes 10-12/36" {
					t.Errorf("Content-Range is %q", got)
				}
			}},
		{name: "range that is not there", status: 416, body: "invalid range: failed to overlap\n", header: http.Header{"Range": {"bytes=99-"}},
			send: func(w http.ResponseWriter, r *http.Request) {
				http.ServeContent(w, r, "f.txt", time.Time{}, strings.NewReader(text))
			}},
		{name: "not modified", status: 304, header: http.Header{"If-None-Match": {`"v1"`}},
			send: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Etag", `"v1"`)
				http.ServeContent(w, r, "f.txt", time.Time{}, strings.NewReader(text))
			}},
		{name: "copied from a reader", status: 200, body: text, send: func(w http.ResponseWriter, _ *http.Request) {
			if n, err := io.Copy(w, io.LimitReader(strings.NewReader(text), 100)); n != 36 || err != nil {
				t.Errorf("Copy: %d, %v", n, err)
			}
		}},
		{name: "trailer", status: 200, body: text,
			send: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Trailer", "X-Sum")
				fmt.Fprint(w, text)
				w.Header().Set("X-Sum", "36")
			},
			check: func(t *testing.T, res *http.Response) {
				if got := res.Trailer.Get("X-Sum"); got != "36" {
					t.Errorf("the trailer is %q", got)
				}
			}},
	}
	for _, http2 := range []bool{false, true} {
		for _, k := range kinds {
			t.Run(fmt.Sprintf("%s/http2=%v", k.name, http2), func(t *testing.T) {
				t.Parallel()
				m := newManager[account](t, session.Config{})
				client, url := overNetwork(t, m.HandlerFunc(visits(k.send)), http2)
				method := k.method
				if method == "" {
					method = "GET"
				}
				r := request(t, method, url)
				for name, values := range k.header {
					r.Header[name] = values
				}
				res, got := fetch(t, m, client, r)
				if res.StatusCode != k.status || got != k.body || (res.ProtoMajor == 2) != http2 {
					t.Errorf("%s answered %d %q, want %d %q", res.Proto, res.StatusCode, got, k.status, k.body)
				}
				if k.check != nil {
					k.check(t, res)
				}
			})
		}
	}
}

// An informational response goes out at once and carries no cookie; the session is
// saved before the final one.
func TestPromise05_AnInformationalResponseIsNotTheFinalOne(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			t.Parallel()
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s})
			client, url := overNetwork(t, m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
				w.Header().Set("Link", "</style.css>; rel=preload")
				w.WriteHeader(http.StatusEarlyHints)
				if n := len(records(t, s)); n != 0 {
					t.Errorf("%d records after the early hints", n)
				}
				ses.Update(func(a *account) { a.Count++ })
				w.WriteHeader(http.StatusOK)
			}), http2)
			var early []string
			trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				early = append(early, fmt.Sprint(code, h["Link"], h["Set-Cookie"]))
				return nil
			}}
			r := get(t, url)
			fetch(t, m, client, r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
			if len(early) != 1 || early[0] != "103 [</style.css>; rel=preload] []" {
				t.Errorf("informational responses: %q", early)
			}
		})
	}
}

// 101 is the final header: the session is saved and its cookie is in it.
func TestPromise05_SwitchingProtocolsCarriesTheCookie(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	client, url := overNetwork(t, m.HandlerFunc(visits(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		defer c.Close()
		line, err := rw.ReadString('\n')
		if err != nil {
			t.Errorf("reading: %v", err)
		}
		fmt.Fprint(c, "echo ", line)
	})), false)
	r := get(t, url)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser()
	b.receive(res)
	if got := peek(m, b).Count; res.StatusCode != http.StatusSwitchingProtocols || got != 1 {
		t.Errorf("answered %d, the counter is %d", res.StatusCode, got)
	}
	conn := res.Body.(io.ReadWriteCloser)
	defer conn.Close()
	fmt.Fprintln(conn, "hello")
	if got, err := bufio.NewReader(conn).ReadString('\n'); err != nil || got != "echo hello\n" {
		t.Errorf("the connection says %q, %v", got, err)
	}
}

// A flushed response has the cookie in its header, and goes on.
func TestPromise05_AFlushedResponseHasTheCookie(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{})
			seen := make(chan struct{})
			client, url := overNetwork(t, m.HandlerFunc(visits(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "first,")
				w.(http.Flusher).Flush()
				<-seen
				fmt.Fprint(w, "second")
			})), http2)
			res, err := client.Do(get(t, url))
			if err != nil {
				t.Fatal(err)
			}
			b := newBrowser()
			b.receive(res)
			if got := peek(m, b).Count; got != 1 {
				t.Errorf("while the response is under way the counter is %d", got)
			}
			close(seen)
			if got := body(t, res); got != "first,second" {
				t.Errorf("the body is %q", got)
			}
		})
	}
}

// What the connection can do is reached through the wrapper, as
// http.ResponseController does it.
func TestPromise05_TheConnectionsFeaturesAreReached(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	client, url := overNetwork(t, m.HandlerFunc(visits(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		for name, err := range map[string]error{
			"EnableFullDuplex": c.EnableFullDuplex(),
			"SetReadDeadline":  c.SetReadDeadline(time.Now().Add(time.Minute)),
			"SetWriteDeadline": c.SetWriteDeadline(time.Now().Add(time.Minute)),
		} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		fmt.Fprint(w, "a")
		if err := c.Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		text, err := io.ReadAll(r.Body) // after the response has begun
		if err != nil {
			t.Errorf("reading the body: %v", err)
		}
		_, _ = w.Write(text)
	})), false)
	r := get(t, url)
	r.Method = "POST"
	r.Body = io.NopCloser(strings.NewReader("bc"))
	if _, got := fetch(t, m, client, r); got != "abc" {
		t.Errorf("the body is %q, want abc", got)
	}
}

// A writer that cannot flush or be taken over says so, and the page goes on.
func TestPromise05_WhatTheWriterCannotDoIsAnError(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	rec := httptest.NewRecorder()
	m.HandlerFunc(visits(func(w http.ResponseWriter, _ *http.Request) {
		c := http.NewResponseController(w)
		if err := c.Flush(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Flush: %v", err)
		}
		if _, _, err := c.Hijack(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Hijack: %v", err)
		}
		w.WriteHeader(http.StatusTeapot)
	}))(struct{ http.ResponseWriter }{rec}, newBrowser().request("GET", "/"))
	if res := rec.Result(); res.StatusCode != http.StatusTeapot || len(res.Cookies()) != 1 {
		t.Errorf("answered %d with %v", res.StatusCode, res.Cookies())
	}
}

// http.ErrAbortHandler ends the connection as it should, and saves nothing.
func TestPromise05_AnAbortedHandlerEndsTheConnection(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	client, url := overNetwork(t, m.HandlerFunc(visits(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })), true)
	client.Transport.(*http.Transport).TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	res, err := client.Do(get(t, url))
	if err == nil {
		_ = res.Body.Close()
		t.Errorf("answered %d", res.StatusCode)
	}
	if n := len(records(t, s)); n != 0 {
		t.Errorf("%d records", n)
	}
}

// http.TimeoutHandler works on both sides, and saves what the handler did in time.
func TestPromise05_TimeoutHandlerOutsideAndInside(t *testing.T) {
	t.Parallel()
	page := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the page") }
	for _, http2 := range []bool{false, true} {
		for name, wrap := range map[string]func(*session.Manager[account]) http.Handler{
			"outside": func(m *session.Manager[account]) http.Handler {
				return http.TimeoutHandler(m.HandlerFunc(visits(page)), time.Minute, "too late")
			},
			"inside": func(m *session.Manager[account]) http.Handler {
				return m.Handler(http.TimeoutHandler(m.HandlerFunc(visits(page)), time.Minute, "too late"))
			},
		} {
			t.Run(fmt.Sprintf("%s/http2=%v", name, http2), func(t *testing.T) {
				t.Parallel()
				m := newManager[account](t, session.Config{})
				client, url := overNetwork(t, wrap(m), http2)
				if res, got := fetch(t, m, client, get(t, url)); res.StatusCode != 200 || got != "the page" {
					t.Errorf("answered %d %q", res.StatusCode, got)
				}
			})
		}
	}
}

// A handler that is late is answered for, whichever of the two is outside, also when
// it is the store that keeps it waiting.
func TestPromise05_TimeoutHandlerWhenTheHandlerIsLate(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(*session.Manager[account], http.Handler) http.Handler{
		"outside": func(m *session.Manager[account], h http.Handler) http.Handler {
			return http.TimeoutHandler(m.Handler(h), time.Second, "too late")
		},
		"inside": func(m *session.Manager[account], h http.Handler) http.Handler {
			return m.Handler(http.TimeoutHandler(h, time.Second, "too late"))
		},
	} {
		for slow, handle := range map[string]func(m *session.Manager[account], r *http.Request){
			"store":   func(m *session.Manager[account], r *http.Request) { _, _ = m.From(r.Context()) },
			"handler": func(m *session.Manager[account], r *http.Request) { <-r.Context().Done() },
		} {
			t.Run(name+"/slow "+slow, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) {
					s := newHooked(t)
					m := newManager[account](t, session.Config{Store: s})
					b := newBrowser()
					login(t, m, b, "ada")
					s.before = func(ctx context.Context, _, _ string) error {
						<-ctx.Done()
						return ctx.Err()
					}
					done := make(chan struct{})
					res := answer(wrap(m, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						defer close(done)
						handle(m, r)
						w.Header().Set("X-From", "the handler")
						fmt.Fprint(w, "the page")
					})), b.request("GET", "/"))
					<-done
					if got := body(t, res); res.StatusCode != http.StatusServiceUnavailable || strings.Contains(got, "the page") || res.Header.Get("X-From") != "" {
						t.Errorf("answered %d %q %v", res.StatusCode, got, res.Header)
					}
				})
			})
		}
	}
}
