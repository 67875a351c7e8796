package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cookie"
)

// cookieFlags say how the session's cookie is set.
type cookieFlags struct {
	CookieName   string `placeholder:"NAME" env:"NESTSESSION_COOKIE_NAME" help:"The cookie's name. Default: \"sid-\" and digits that distinguish this server's users from those of other servers on the host, with the prefix __Host- over HTTPS; with --express connect.sid."`
	CookieDomain string `placeholder:"DOMAIN" env:"NESTSESSION_COOKIE_DOMAIN" help:"Send the cookie also to the subdomains of this domain. Default: only to this host."`
	CookiePath   string `default:"/" placeholder:"PATH" env:"NESTSESSION_COOKIE_PATH" help:"Send the cookie only below this path. The routes move there too: with /app, /login becomes /app/login. Default: everywhere."`

	MaxAge age `default:"168h" placeholder:"DURATION" env:"NESTSESSION_MAX_AGE" help:"A session and its cookie end when they were not used for this long. 0: the cookie ends with the browser. Default: 168h, a week."`

	Secure   string `default:"auto" enum:"auto,always,never" placeholder:"WHEN" env:"NESTSESSION_SECURE" help:"When the cookie is Secure, which means that browsers send it only over HTTPS: auto, if the request came over HTTPS; always; never. Default: ${default}."`
	SameSite string `default:"lax" enum:"lax,strict,none,omit" placeholder:"WHICH" env:"NESTSESSION_SAME_SITE" help:"Which requests from other sites carry the cookie: lax, only links; strict, no request; none, every request (needs --secure always); omit, the browser decides. Default: ${default}."`
	Rolling  bool   `env:"NESTSESSION_ROLLING" help:"Send the cookie with every response, like express-session's rolling."`
}

var (
	secureModes   = map[string]session.Secure{"auto": session.SecureAuto, "always": session.SecureAlways, "never": session.Insecure}
	sameSiteModes = map[string]session.SameSite{"lax": session.SameSiteLax, "strict": session.SameSiteStrict, "none": session.SameSiteNone, "omit": session.SameSiteOmit}
)

// validate refuses cookies that no browser would keep, in terms of the flags.
func (f *cookieFlags) validate() error {
	if f.CookieName != "" {
		if err := cookie.ValidName(f.CookieName); err != nil {
			return fmt.Errorf("--cookie-name: %q is not a valid cookie name: use letters, digits, - . and _", f.CookieName)
		}
	}
	if (&cookie.Attributes{Domain: f.CookieDomain}).Validate() != nil {
		return fmt.Errorf("--cookie-domain: %q is not a host name: write one such as example.com", f.CookieDomain)
	}
	if !strings.HasPrefix(f.CookiePath, "/") || (&cookie.Attributes{Path: f.CookiePath}).Validate() != nil {
		return fmt.Errorf("--cookie-path: %q is not a path: write one that begins with a slash, such as /app", f.CookiePath)
	}
	if f.SameSite == "none" && f.Secure != "always" {
		return errors.New("--same-site none: browsers accept such a cookie only over HTTPS: add --secure always, or write --same-site lax")
	}
	name := strings.ToLower(f.CookieName) // as browsers match the prefixes
	host := strings.HasPrefix(name, "__host-")
	if (host || strings.HasPrefix(name, "__secure-")) && f.Secure != "always" {
		return fmt.Errorf("--cookie-name: browsers accept %q only over HTTPS: add --secure always, or leave out the prefix", f.CookieName)
	}
	if host && (f.CookieDomain != "" || f.CookiePath != "/") {
		return errors.New("--cookie-name: browsers accept a name with __Host- only without --cookie-domain and --cookie-path: leave these out, or write __Secure-")
	}
	return nil
}

// cookie returns the cookie that the flags describe.
func (f *cookieFlags) cookie() session.Cookie {
	return session.Cookie{
		Domain: f.CookieDomain, Path: f.CookiePath,
		MaxAge: time.Duration(f.MaxAge), Secure: secureModes[f.Secure], SameSite: sameSiteModes[f.SameSite],
	}
}

// nameFor returns the name of the cookie of a server whose accounts are called issuer. Cookies do
// not depend on the port, so two servers on one host need different names. The name does not change
// when secrets are rotated or ports change.
func (f *cookieFlags) nameFor(issuer string) string {
	if f.CookieName != "" {
		return f.CookieName
	}
	name := "sid-" + issuer
	switch {
	case f.Secure != "always":
		return name
	case f.CookieDomain == "" && f.CookiePath == "/":
		return "__Host-" + name
	}
	return "__Secure-" + name
}

func (f *cookieFlags) lifetime() string {
	if f.MaxAge == 0 {
		return age(session.DefaultIdleTimeout).String()
	}
	return f.MaxAge.String()
}
