package jar

import (
	"net/http"
	"slices"
	"strings"

	"github.com/nestsession/session/cookie"
)

// Cookie has the fields by which browsers tell cookies apart (RFC 6265 section 5.3).
type Cookie struct {
	Name        string
	Domain      string // "": only this host
	Path        string
	Partitioned bool
}

// Clearing says what becomes of several cookies of a name.
type Clearing uint8

const (
	ClearNone   Clearing = iota
	ClearOthers          // all but the one that is sent now
	ClearAll
)

// Clearer expires cookies in a response.
type Clearer struct {
	Header     http.Header // of the response
	Request    *http.Request
	Secure     bool              // the request came over HTTPS
	Attributes cookie.Attributes // of the session's cookie
}

// Copies expires the cookies of the name wherever this host, or a parent domain, may have
// set them: the browser does not say where. The cookies came with this request, so their
// path is a prefix of the request's path. The likely places come first, because a long path
// can give too many. own is the cookie that is sent now.
func (c *Clearer) Copies(name string, own Cookie, what Clearing) {
	hosts := Domains(c.Request.Host)
	if !slices.Contains(hosts, own.Domain) {
		hosts = append(hosts, own.Domain) // behind a proxy that does not pass on the Host
	}
	lines := 0
	for _, path := range Paths(RequestPath(c.Request), own.Path) {
		for _, domain := range hosts {
			for _, partitioned := range []bool{false, true} {
				k := Cookie{name, domain, path, partitioned}
				if (k != own || what == ClearAll) && c.clear(k) {
					lines++
				}
				if lines == MaxClears {
					return
				}
			}
		}
	}
}

// Sent reports whether a request's Cookie header has one of the names.
func Sent(lines []string, cookies []Cookie) bool {
	return slices.ContainsFunc(cookies, func(k Cookie) bool {
		_, n := cookie.Lookup(lines, k.Name)
		return n > 0
	})
}

// IfSent expires a cookie if the request has one of its name.
func (c *Clearer) IfSent(k Cookie) {
	if Sent(c.Request.Header["Cookie"], []Cookie{k}) {
		c.clear(k)
	}
}

func (c *Clearer) clear(k Cookie) bool {
	host := HasPrefix(k.Name, "__host-")
	needsSecure := k.Partitioned || host || HasPrefix(k.Name, "__secure-")
	if host && (k.Domain != "" || k.Path != "/") || needsSecure && !c.Secure {
		return false // browsers do not store such a cookie, or do not delete it over plain HTTP
	}
	a := c.Attributes
	a.MaxAge, a.Domain, a.Path, a.Partitioned = -1, k.Domain, k.Path, k.Partitioned
	if a.Secure = c.Secure && (a.Secure || needsSecure); k.Partitioned {
		a.SameSite = cookie.SameSiteNone // otherwise a browser refuses it in a page of another site
	}
	line := cookie.Append(nil, k.Name, "", &a)
	if len(line) == 0 || slices.Contains(c.Header["Set-Cookie"], string(line)) {
		return false
	}
	Add(c.Header, string(line))
	return true
}

// HasPrefix compares a name's beginning with a prefix in lower case. User agents match the
// prefixes whatever the case (RFC 6265bis section 5.7).
func HasPrefix(name, prefix string) bool { return strings.HasPrefix(strings.ToLower(name), prefix) }

// Add adds a line to the Set-Cookie header.
func Add(h http.Header, line string) {
	if lines := h["Set-Cookie"]; len(lines) > 0 {
		h["Set-Cookie"] = append(lines, line)
		return
	}
	h["Set-Cookie"] = []string{line}
}
