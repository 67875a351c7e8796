package simulation

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// jar keeps cookies as a browser does: by name, domain, path and partition (RFC 6265 section 5.3,
// CHIPS), until they expire. It has pages of one site only, so there is one partition.
type jar struct {
	kept []kept // in the order of their creation
}

type slot struct {
	name, domain, path, partition string
	hostOnly                      bool
}

type kept struct {
	slot
	value  string
	secure bool
	until  time.Time // zero: until the browser is closed
}

// site is the partition of cookies with Partitioned in pages of the application's site.
const site = "https://shop.test"

// page is the site of all requests, as far as cookies depend on it.
var page = &url.URL{Scheme: "https", Host: "shop.test", Path: "/"}

// take applies a Set-Cookie line in the response to a request for u.
func (j *jar) take(u *url.URL, line string) {
	c, err := http.ParseSetCookie(line)
	if err != nil {
		return
	}
	host := u.Hostname()
	k := kept{slot: slot{name: c.Name, domain: host, path: "/", hostOnly: true}, value: c.Value, secure: c.Secure}
	if domain := strings.TrimPrefix(c.Domain, "."); domain != "" {
		if host != domain && !strings.HasSuffix(host, "."+domain) {
			return
		}
		k.domain, k.hostOnly = domain, false
	}
	if strings.HasPrefix(c.Path, "/") {
		k.path = c.Path
	} else if i := strings.LastIndexByte(u.Path, '/'); i > 0 {
		k.path = u.Path[:i]
	}
	if c.Partitioned {
		k.partition = site
	}
	prefixed := strings.HasPrefix(c.Name, "__Host-")
	switch {
	case (c.Secure || c.Partitioned || prefixed) && u.Scheme != "https", c.Partitioned && !c.Secure,
		prefixed && (!c.Secure || !k.hostOnly || k.path != "/"):
		return
	}
	switch { // Max-Age counts if both are there
	case c.MaxAge < 0:
		k.until = time.Unix(0, 0)
	case c.MaxAge > 0:
		k.until = time.Now().Add(time.Duration(c.MaxAge) * time.Second)
	default:
		k.until = c.Expires
	}
	i := slices.IndexFunc(j.kept, func(o kept) bool { return o.slot == k.slot })
	switch live := k.until.IsZero() || k.until.After(time.Now()); {
	case i >= 0 && live:
		j.kept[i] = k
	case i >= 0:
		j.kept = slices.Delete(j.kept, i, i+1)
	case live:
		j.kept = append(j.kept, k)
	}
}

// header returns the Cookie field of a request for u; "" if there is none.
func (j *jar) header(u *url.URL) string {
	var sent []kept
	for _, k := range j.kept {
		host := u.Hostname()
		fits := host == k.domain || !k.hostOnly && strings.HasSuffix(host, "."+k.domain)
		fits = fits && (u.Path == k.path || strings.HasPrefix(u.Path, strings.TrimSuffix(k.path, "/")+"/"))
		if fits && (!k.secure || u.Scheme == "https") && (k.until.IsZero() || k.until.After(time.Now())) {
			sent = append(sent, k)
		}
	}
	slices.SortStableFunc(sent, func(a, b kept) int { return len(b.path) - len(a.path) })
	var pairs []string
	for _, k := range sent {
		pairs = append(pairs, k.name+"="+k.value)
	}
	return strings.Join(pairs, "; ")
}
