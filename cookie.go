package session

import (
	"math"
	"strings"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/document"
)

// Cookie says how the session's cookie is set. The zero value is safe: it ends
// with the browser, covers the whole site, and is HttpOnly, Secure and SameSite=Lax.
type Cookie struct {
	// Path is where the browser sends the cookie, and where there are sessions at
	// all: "" is "/". [NoPath] leaves the attribute out.
	Path string

	// Domain widens the cookie to subdomains. Default "": this host alone.
	Domain string

	// MaxAge is how long the browser keeps the cookie, counted from when it was
	// last sent. Zero: until the browser closes. Unless Config.IdleTimeout says
	// otherwise it is the session's idle timeout on the server as well.
	MaxAge time.Duration

	// Expires is a fixed date in place of MaxAge: sessions end then. With
	// Config.KeepCookie it becomes, as in express-session, a lifetime when a session is
	// born, which every later visit renews.
	Expires time.Time

	// Secure says over which connections the cookie travels; see [Secure].
	Secure Secure

	// SameSite says with which requests from other sites it travels; see [SameSite].
	SameSite SameSite

	// InsecureScriptAccess leaves HttpOnly out: every script in the page, an
	// injected one too, can read the id (ASVS 3.3.4).
	InsecureScriptAccess bool

	// Partitioned keeps one cookie for each embedding site (CHIPS). Needs Secure.
	Partitioned bool

	// Priority is Chromium's hint which cookie to evict first.
	Priority Priority
}

// UntilClosed as MaxAge is express-session's false: the cookie ends with the browser,
// as with zero, but is sent again with each change of the data.
const UntilClosed time.Duration = math.MinInt64

// NoPath as Cookie.Path leaves the attribute out: the browser then takes the
// folder of the request's path.
const NoPath = "none"

// Secure says over which connections a cookie travels.
type Secure uint8

const (
	// SecureAlways sets Secure. Over plain HTTP no cookie is sent, and no new
	// session is stored (EventCookieNotSent says so).
	SecureAlways Secure = iota
	// SecureAuto sets Secure if the request came over HTTPS: for servers that are
	// reached both ways. An attacker on the network can read the cookie on the plain way.
	SecureAuto
	// Insecure never sets Secure.
	Insecure
)

// SameSite says with which requests from other sites a cookie travels.
type SameSite uint8

const (
	SameSiteLax    SameSite = iota // top-level navigations by GET
	SameSiteStrict                 // none
	SameSiteNone                   // all; needs Secure
	SameSiteAuto                   // None over HTTPS, else Lax, as express-session's "auto"
	SameSiteOmit                   // no attribute: the browser decides
)

// Priority is Chromium's hint which cookie to evict first.
type Priority uint8

const (
	PriorityOmit Priority = iota // no attribute
	PriorityLow
	PriorityMedium
	PriorityHigh
)

// path is the prefix that the cookie covers.
func (c *Cookie) path() string {
	if c.Path == "" || c.Path == NoPath {
		return "/"
	}
	return c.Path
}

// covers is the path-match of RFC 6265 section 5.1.4. express-session compares
// text, so that "/admin" covers "/administrator", where no browser sends it.
func (c *Cookie) covers(path string) bool {
	p := c.path()
	if p == "/" {
		return true
	}
	return strings.HasPrefix(path, p) && (len(path) == len(p) || p[len(p)-1] == '/' || path[len(p)] == '/')
}

// resolve replaces what depends on the request by what it is for this one.
func (c *Cookie) resolve(secure bool) {
	if c.SameSite == SameSiteAuto {
		c.SameSite = SameSiteLax
		if secure {
			c.SameSite = SameSiteNone
		}
	}
	if c.Secure == SecureAuto {
		c.Secure = Insecure
		if secure {
			c.Secure = SecureAlways
		}
	}
}

// attributes is the cookie on the wire. c is resolved.
func (c *Cookie) attributes(expires document.Instant) cookie.Attributes {
	a := cookie.Attributes{
		Domain:      c.Domain,
		Path:        c.Path,
		Expires:     expires.Time(),
		HTTPOnly:    !c.InsecureScriptAccess,
		Secure:      c.Secure == SecureAlways,
		Partitioned: c.Partitioned,
		SameSite:    c.SameSite.attribute(),
		Priority:    c.Priority.attribute(),
	}
	switch c.Path {
	case "":
		a.Path = "/"
	case NoPath:
		a.Path = ""
	}
	return a
}

func (s SameSite) attribute() cookie.SameSite {
	switch s {
	case SameSiteLax:
		return "Lax"
	case SameSiteStrict:
		return "Strict"
	case SameSiteNone:
		return "None"
	}
	return ""
}

func (p Priority) attribute() cookie.Priority {
	switch p {
	case PriorityLow:
		return "Low"
	case PriorityMedium:
		return "Medium"
	case PriorityHigh:
		return "High"
	}
	return ""
}

// Proxy says whether X-Forwarded-Proto tells how the client connected. (RFC 7239
// Forwarded is not read, as in express-session.)
type Proxy uint8

const (
	// ProxyUnset trusts TLS and Config.IsSecure, not the header.
	ProxyUnset Proxy = iota
	// ProxyTrusted believes the first element of X-Forwarded-Proto: only behind a
	// proxy that sets it, or anybody can claim to come over HTTPS.
	ProxyTrusted
	// ProxyIgnored trusts TLS alone.
	ProxyIgnored
)

// FormerCookie is a cookie that sessions had before Config.Name or Config.Cookie was
// changed: what browsers tell cookies apart by (RFC 6265 section 5.3).
type FormerCookie struct {
	Name        string // "": Config.Name, or what its default was for such a cookie
	Domain      string // "": the host alone
	Path        string // "": "/"
	Partitioned bool
}
