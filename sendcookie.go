package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nestsession/session/cookie"
)

// sendCookie adds the session's cookie to the header.
func (s *Session[T]) sendCookie(ctx context.Context, h http.Header) error {
	if h == nil {
		return nil
	}
	if s.settings.Secure == SecureAlways && !s.secure {
		s.m.cookieNotSent(ctx, ReasonInsecure, s.key)
		return nil
	}
	expires := s.cookieExpiry(s.now)
	a := s.settings.attributes(expires)
	if expires != 0 && s.m.policy.cookieEndsWithSession() {
		a.MaxAge = max(1, int(expires.Sub(s.now)/time.Second))
	}
	if s.unchecked() {
		if err := a.Validate(); err != nil {
			return err
		}
	}
	var space [768]byte
	line := space[:0]
	if s.came() && s.sent.AsSent && !s.sent.Old {
		line = cookie.Append(line, s.m.name, s.sent.Value, &a)
	} else {
		line = s.m.signer.AppendCookie(line, s.m.name, s.id, &a)
	}
	if len(line) == 0 { // an id is checked when it is made, attributes above
		return errors.New("session: the cookie cannot be written")
	}
	s.clearCopies(h)
	s.clearFormer(h)
	addCookie(h, string(line))
	s.cookieSent = true
	if !s.m.policy.saveIsUse() {
		s.expires = s.expiry(s.now)
	}
	return nil
}

// expireCookie takes the cookie that the request came with from the browser, if it is
// this request that has ended its session. Otherwise the browser may have a newer one.
func (s *Session[T]) expireCookie(h http.Header) {
	if h == nil || s.sent == nil || !s.ended || s.m.keepDeadCookie {
		return
	}
	s.clearCopies(h)
	s.clearFormer(h)
	a := s.settings.attributes(1) // just after 1970 began
	if s.m.policy.cookieEndsWithSession() {
		a.MaxAge = -1
	}
	if line := cookie.Append(nil, s.m.name, "", &a); len(line) > 0 { // none of a stored cookie that cannot be written
		addCookie(h, string(line))
	}
}

func addCookie(h http.Header, line string) {
	if lines := h["Set-Cookie"]; len(lines) > 0 {
		h["Set-Cookie"] = append(lines, line)
		return
	}
	h["Set-Cookie"] = []string{line}
}
