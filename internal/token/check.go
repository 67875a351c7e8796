package token

import (
	"errors"
	"net/textproto"
	"slices"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/check"
)

// Cookies is what of a Config concerns only cookies, as far as a header has to fit to it.
type Cookies struct {
	Express  bool // Config.Express.Rules
	Settings bool // settings that only browsers read
	Former   bool // Config.FormerCookies
}

// forbidden are headers that net/http handles itself, or that hold cookies.
var forbidden = []string{"Cookie", "Set-Cookie", "Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer"}

// Check returns a Reader with its defaults, nil if the header is off.
func Check(r Reader, k Cookies) (*Reader, error) {
	if r.Use == Off {
		if r != (Reader{}) {
			return nil, check.Refuse("Header", "has no effect without Use; write HeaderWins, CookieWins or HeaderOnly there, or leave Header out")
		}
		return nil, nil
	}
	var errs []error
	refuse := func(field, format string, args ...any) { errs = append(errs, check.Refuse(field, format, args...)) }
	if r.Use > Only {
		refuse("Header.Use", "%d is not one of HeaderOff, HeaderWins, CookieWins and HeaderOnly", r.Use)
	}
	if k.Express {
		refuse("Header", "express-session reads no header; leave it out with Express.Rules")
	}
	if k.Settings && r.Use == Only {
		refuse("Cookie", "with HeaderOnly only MaxAge, Expires and Secure have a meaning; leave the others out")
	}
	if k.Former && r.Use == Only {
		refuse("FormerCookies", "are not read with HeaderOnly; leave them out, or write HeaderWins")
	}
	if r.Name == "" {
		r.Name = "Authorization"
	}
	r.Name, r.Response = textproto.CanonicalMIMEHeaderKey(r.Name), textproto.CanonicalMIMEHeaderKey(r.Response)
	if r.Name == "Authorization" && r.Scheme == "" {
		r.Scheme = "Bearer"
	}
	if !carries(r.Name) {
		refuse("Header.Name", "%q is no header that a client can put a token into; write a name such as X-Session-Token", r.Name)
	}
	if r.Response != "" && !carries(r.Response) {
		refuse("Header.Response", "%q is no header that a response can put a token into; write a name such as X-Session-Token", r.Response)
	}
	if r.Scheme != "" && cookie.ValidName(r.Scheme) != nil {
		refuse("Header.Scheme", "%q is no scheme (RFC 9110 section 11.1); write a word such as Bearer", r.Scheme)
	}
	return &r, errors.Join(errs...)
}

func carries(name string) bool {
	return cookie.ValidName(name) == nil && !slices.Contains(forbidden, name)
}
