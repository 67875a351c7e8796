// Package jar lists where a browser may keep cookies of a name: the domains and paths for which a
// host may have set them.
package jar

import (
	"net"
	"net/http"
	"strings"
)

// MaxClears is the largest number of Set-Cookie lines by which a response clears cookies. Proxies
// refuse a much longer header.
const MaxClears = 48

// Domains returns the domains for which a host may set cookies: the host only (""), and each name
// that it ends with. Browsers refuse those under which anybody can register a name.
func Domains(host string) []string {
	all := []string{""}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return all
	}
	for host = strings.ToLower(strings.TrimSuffix(host, ".")); strings.Contains(host, "."); _, host, _ = strings.Cut(host, ".") {
		all = append(all, host)
	}
	return all
}

// DomainOf returns a Domain attribute as browsers interpret it (RFC 6265 section 5.2.3).
func DomainOf(domain string) string { return strings.ToLower(strings.TrimPrefix(domain, ".")) }

// Paths returns the paths of cookies that a browser sends with a request for path: "/", own, and
// then the others from the shortest on; at most MaxClears.
func Paths(path, own string) []string {
	all := []string{"/"}
	add := func(p string) {
		if len(all) < MaxClears && p != "/" && (p != own || len(all) == 1) {
			all = append(all, p)
		}
	}
	add(own)
	for i := 1; i < len(path) && len(all) < MaxClears; i++ {
		if path[i] == '/' {
			add(path[:i])
			if i+1 < len(path) && path[i+1] != '/' {
				add(path[:i+1])
			}
		}
	}
	if len(path) > 1 {
		add(path)
	}
	return all
}

// RequestPath returns the path that the browser requested, including what http.StripPrefix has
// removed. A request's target may be a whole URL (RFC 9112 section 3.2.2).
func RequestPath(r *http.Request) string {
	target, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(target, "/") {
		return target
	}
	_, rest, absolute := strings.Cut(target, "://")
	if !absolute {
		return r.URL.Path
	}
	_, path, _ := strings.Cut(rest, "/")
	return "/" + path
}

// Covers is the path-match of RFC 6265 section 5.1.4: whether a browser sends a cookie of
// the path with a request. express-session compares only the text, so its "/admin" also
// covers "/administrator", to which no browser sends the cookie.
func Covers(cookie, request string) bool {
	if cookie == "/" {
		return true
	}
	return strings.HasPrefix(request, cookie) && (len(request) == len(cookie) || cookie[len(cookie)-1] == '/' || request[len(cookie)] == '/')
}
