// Package jar lists where cookies of a name can stand in a browser: the domains and paths
// for which a host may have set them.
package jar

import (
	"net"
	"net/http"
	"strings"
)

// MaxClears bounds by how many lines a response clears cookies. Proxies refuse a header
// that is much longer.
const MaxClears = 48

// Domains are those that a host may set cookies for: itself alone, and the names that it
// ends with. Browsers refuse those under which anybody can register.
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

// DomainOf is a Domain attribute as browsers take it (RFC 6265 section 5.2.3).
func DomainOf(domain string) string { return strings.ToLower(strings.TrimPrefix(domain, ".")) }

// Paths are those of cookies that come with a request for the path: "/", own, and then
// the others from the shortest on, no more than a response clears.
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

// RequestPath is the path as the browser knows it, whatever http.StripPrefix took off.
// A request's target may be a whole URL (RFC 9112 section 3.2.2).
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
