package session

import "github.com/nestsession/session/internal/token"

// Header describes the header in which clients that are not browsers send a session's
// token: mobile apps, services, tools. The token is the signed id, as in the cookie, so it
// is as secret as the cookie. It is read from this header and from nowhere else: not from a
// URL and not from a form.
//
// A session that came by header gets its new tokens by header and never a cookie, and the
// other way round. Of the Config's Cookie, MaxAge, Expires and Secure apply to it. Path does
// not: with a token a session may be used outside of it. With SecureAlways a token that
// comes over plain HTTP is not accepted; an event with [ReasonInsecure] reports it.
//
// A token that is not accepted gives a new session, as such a cookie does. The library
// answers no 401; a handler that requires a user does, with the field WWW-Authenticate.
//
// A request that carries the header needs no protection against cross-site request forgery,
// since no other site can make a browser send it. A request with a cookie does.
type Header struct {
	// Use switches the header on, and says what counts if a request has both.
	Use HeaderUse

	// Name is the header's name. Default: "Authorization".
	Name string

	// Scheme is the word before the token. Letter case does not matter. Default: "Bearer"
	// in Authorization (RFC 6750), none in any other header. A header with another scheme
	// is not the session's, and counts as absent.
	Scheme string

	// Response is the name of a response header in which a client that sends the header
	// gets its token whenever a browser would get the cookie: when the session is stored
	// and has a new id, and when its expiry moves. A client that has no token yet asks for
	// one with the header without a token ("Authorization: Bearer"). Default: none, and the
	// application gives out [Session.Token].
	Response string
}

// HeaderUse says what counts if a request has [Config.Header] and the cookie. It is decided
// by which of them a request has, whether or not they are valid. So a bad token never gives
// the session of the cookie that comes beside it, if the header wins.
type HeaderUse uint8

const (
	HeaderOff  HeaderUse = iota // only the cookie is read
	HeaderWins                  // the header counts; without it the cookie
	CookieWins                  // the cookie counts; without it the header
	HeaderOnly                  // only the header is read, and no cookie is sent
)

// header returns what reads the header; nil if it is off.
func (c *Config) header() (*token.Reader, error) {
	h := token.Reader{Use: token.Use(c.Header.Use), Name: c.Header.Name, Scheme: c.Header.Scheme, Response: c.Header.Response}
	used := Cookie{MaxAge: c.Cookie.MaxAge, Expires: c.Cookie.Expires, Secure: c.Cookie.Secure}
	return token.Check(h, token.Cookies{Express: c.Express.Rules, Settings: c.Cookie != used, Former: len(c.FormerCookies) > 0})
}
