package web_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// raw sends a request line unchanged, which Go's client would clean.
func (s *site) raw(method, target string) *http.Response {
	s.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		s.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(s.Context(), "tcp", u.Host)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", method, target, u.Host)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.Fatalf("%s %s: %v", method, target, err)
	}
	_ = response.Body.Close()
	return response
}

// An unclean path redirects to the clean one if that exists, and never to another site; otherwise
// it is not found.
func TestUncleanPaths(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for target, location := range map[string]string{
		"//login":                "/login",
		"/a/../login":            "/login",
		"/./login":               "/login",
		"/%2e/login":             "",
		"/%2e%2e/login":          "",
		"/a/%2e%2e/login":        "",
		"//login?next=/me":       "/login?next=/me",
		"/sessions//events":      "/sessions/events",
		"/..":                    "/",
		"//":                     "/",
		"//evil":                 "",
		"//evil.example/":        "",
		"//evil.example/..":      "/",
		"///evil.example/%2e%2e": "",
		"/%2f%2fevil.example":    "",
		"/\\evil.example":        "",
		"/%5cevil.example/":      "",
		"/a/../evil":             "",
		"/a/..//evil.example":    "",
		"/login/":                "",
		"/login/.":               "/login",
		"/nowhere/./x":           "",
		"/%2e%2e%2fevil":         "",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS"} {
			a := s.raw(method, target)
			at := a.Header.Get("Location")
			redirects := a.StatusCode/100 == 3
			if redirects != (at != "") || strings.HasPrefix(at, "//") || strings.Contains(at, ":") || strings.Contains(at, "\\") {
				t.Errorf("%s %s: %d to %q", method, target, a.StatusCode, at)
			}
			if method == "GET" && at != location {
				t.Errorf("%s %s: %d to %q, want %q", method, target, a.StatusCode, at, location)
			}
			if location == "" && a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s %s: %d, want that there is nothing", method, target, a.StatusCode)
			}
		}
	}
}
