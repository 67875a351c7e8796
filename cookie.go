package session

import (
	"net/http"
	"strings"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/jar"
	"github.com/nestsession/session/internal/lifetime"
)

// Cookie holds the attributes of the session cookie. The zero value is safe: the cookie
// ends when the browser closes, covers the whole site, and is HttpOnly, Secure and
// SameSite=Lax.
type Cookie struct {
	// Path limits the cookie, and sessions as a whole, to a part of the site. "" means "/".
	// [NoPath] omits the attribute.
	Path string

	// Domain extends the cookie to subdomains. Default: "", only this host.
	Domain string

	// MaxAge is how long the browser keeps the cookie after it was last sent. Zero means
	// until the browser closes. It is also the session's idle timeout on the server, unless
	// Config.IdleTimeout is set. The cookie is sent again with the first visit that moves its
	// end by a tenth of MaxAge, so a browser may drop it so much before the session ends.
	// Under Express.Rules it is sent with each change, as in express-session.
	MaxAge time.Duration

	// Expires is a fixed date at which sessions end. It replaces MaxAge. With
	// Express.KeepCookie, as in express-session, the time from a session's creation to this
	// date becomes its lifetime, which every later visit renews.
	Expires time.Time

	// Secure says over which connections the cookie is sent; see [Secure].
	Secure Secure

	// SameSite says with which requests from other sites the cookie is sent; see
	// [SameSite].
	SameSite SameSite

	// InsecureScriptAccess omits HttpOnly. Every script in the page, even an injected one,
	// can then read the id (ASVS 3.3.4).
	InsecureScriptAccess bool

	// Partitioned gives each embedding site its own cookie (CHIPS). It requires Secure.
	Partitioned bool

	// Priority tells Chromium which cookies to evict first.
	Priority Priority
}

// UntilClosed, as MaxAge, is express-session's false. As with zero, the cookie ends when
// the browser closes, but it is sent again with each change of the data.
const UntilClosed = lifetime.UntilClosed

// NoPath, as Cookie.Path, omits the attribute. The browser then uses the directory of the
// request's path.
const NoPath = "none"

// Secure says over which connections a cookie is sent.
type Secure uint8

const (
	// SecureAlways sets Secure. Over plain HTTP no cookie is sent and no new session is
	// stored; EventCookieNotSent reports it.
	SecureAlways Secure = iota
	// SecureAuto sets Secure if the request came over HTTPS. It is for servers that are
	// reached by HTTPS and by plain HTTP. An attacker on the network can read the cookie
	// from plain HTTP.
	SecureAuto
	// Insecure never sets Secure.
	Insecure
)

// SameSite says with which requests from other sites a cookie is sent.
type SameSite uint8

const (
	SameSiteLax    SameSite = iota // top-level navigations by GET
	SameSiteStrict                 // none
	SameSiteNone                   // all; needs Secure
	SameSiteAuto                   // None over HTTPS, else Lax, as express-session's "auto"
	SameSiteOmit                   // no attribute: the browser decides
)

// Priority tells Chromium which cookies to evict first.
type Priority uint8

const (
	PriorityOmit Priority = iota // no attribute
	PriorityLow
	PriorityMedium
	PriorityHigh
)

// path is the prefix of the paths that the cookie covers.
func (c *Cookie) path() string {
	if c.Path == "" || c.Path == NoPath {
		return "/"
	}
	return c.Path
}

// named returns what tells the cookie of a name apart from others. c must have a path.
func (c *Cookie) named(name string) jar.Cookie {
	return jar.Cookie{Name: name, Domain: jar.DomainOf(c.Domain), Path: c.path(), Partitioned: c.Partitioned}
}

// resolve replaces the settings that depend on the request by their values for this
// request.
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

// attributes returns what is written to the Set-Cookie header. c must be resolved.
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

// The attributes' texts. A value that is not one of the constants has none.
var (
	sameSites  = [1 << 8]cookie.SameSite{SameSiteLax: "Lax", SameSiteStrict: "Strict", SameSiteNone: "None"}
	priorities = [1 << 8]cookie.Priority{PriorityLow: "Low", PriorityMedium: "Medium", PriorityHigh: "High"}
)

func (s SameSite) attribute() cookie.SameSite { return sameSites[s] }

func (p Priority) attribute() cookie.Priority { return priorities[p] }

// ForwardedHTTPS, as [Config.IsSecure], trusts the header X-Forwarded-Proto: it reports whether
// the header's first element is "https", in any case of letters. Use it only behind a proxy that
// sets the header; otherwise any client can claim to use HTTPS. (Like express-session, it does
// not read the Forwarded header of RFC 7239.)
func ForwardedHTTPS(r *http.Request) bool {
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return strings.EqualFold(strings.TrimSpace(proto), "https")
}

// FormerCookie describes a cookie that sessions had before Config.Name or Config.Cookie was
// changed. Its fields are those by which browsers tell cookies apart (RFC 6265 section
// 5.3).
type FormerCookie struct {
	Name        string // "": Config.Name, or the default name of such a cookie
	Domain      string // "": only this host
	Path        string // "": "/"
	Partitioned bool
}
