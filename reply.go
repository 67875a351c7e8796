package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/jar"
	"github.com/nestsession/session/internal/lifetime"
	"github.com/nestsession/session/internal/token"
)

// came reports whether the request's cookie has the session's current id.
func (s *Session[T]) came() bool { return s.sent != nil && s.sent.ID == s.id }

func (s *Session[T]) set(c Cookie) {
	s.changing()
	s.useCookie(&c)
	s.ownCookie, s.settingsChanged, s.cookieChanged = true, true, true
	if life := c.MaxAge; life > s.m.records.Absolute && s.m.records.Absolute > 0 && s.m.policy.refusesEndedLifetimes() {
		s.m.warn(s.r.Context(), &s.m.warnedAge, time.Minute, "session: a session's MaxAge is longer than Config.AbsoluteTimeout, which ends it first: raise that, or lower MaxAge",
			"lifetime", life, "absolute", s.m.records.Absolute)
	}
	s.expires = s.expiry(s.m.present())
}

// useCookie takes over the attributes of a cookie, and resolves those that depend on the
// request and on the time.
func (s *Session[T]) useCookie(c *Cookie) {
	s.settings, s.lifetime = s.m.resolve(c, s.secure), lifetime.Of(c.MaxAge)
	if !c.Expires.IsZero() {
		s.lifetime = document.Lifetime{Set: true, MS: int64(document.InstantOf(c.Expires) - s.m.present())}
	}
}

// lastUsed returns when the session was last saved or touched.
func (s *Session[T]) lastUsed() document.Instant {
	return lifetime.LastUsed(s.used, s.deadline, s.m.records.KeepUntil(s.created), s.m.present(), s.idle())
}

// idle returns how long the session lives after each visit.
func (s *Session[T]) idle() document.Lifetime {
	return lifetime.Idle(s.lifetime, s.ownCookie, s.m.idle, DefaultIdleTimeout)
}

// expiry returns when a session that is used now ends: after the idle timeout, but not
// later than the absolute one.
func (s *Session[T]) expiry(now document.Instant) document.Instant {
	return s.within(s.idle().From(now))
}

// within returns the earlier of at and the absolute timeout; zero means never.
func (s *Session[T]) within(at document.Instant) document.Instant {
	return lifetime.Earlier(at, s.m.records.End(s.created))
}

// recordExpiry returns until when the store keeps a session that is used now.
func (s *Session[T]) recordExpiry(now document.Instant) document.Instant {
	return lifetime.Earlier(s.idle().From(now), s.m.records.KeepUntil(s.created))
}

// cookieExpiry returns until when the browser keeps a cookie that is sent now. Zero means
// until the browser closes.
func (s *Session[T]) cookieExpiry(now document.Instant) document.Instant {
	at := s.lifetime.From(now)
	if at != 0 && s.m.policy.cookieEndsWithSession() {
		at = s.within(at)
	}
	return at
}

// due reports whether a visit that moves the store's expiry to at writes to the store.
func (s *Session[T]) due(at document.Instant) bool {
	return lifetime.Due(at, s.deadline, s.m.touchEvery, s.idle(), document.Lifetime{})
}

// cookieDue reports whether a visit moves the end of the cookie in the browser.
func (s *Session[T]) cookieDue() bool {
	return lifetime.Due(s.cookieExpiry(s.now), s.doc.CookieEnds, s.m.touchEvery, s.lifetime, s.lifetime)
}

// sendCookie adds the session's cookie to the header, or its token.
func (s *Session[T]) sendCookie(ctx context.Context, h http.Header) error {
	if h == nil {
		return nil
	}
	if s.settings.Secure == SecureAlways && !s.secure {
		s.m.insecure(ctx, EventCookieNotSent, s.key)
		return nil
	}
	if s.source == token.Header {
		if !s.m.header.Write(h, s.m.signer, s.id) && !s.cookieSent && !s.came() {
			s.m.emit(ctx, Event{Kind: EventCookieNotSent, Owner: s.owner, Reason: ReasonNoToken}, s.key)
		}
		s.cookieSent, s.cookieChanged = true, false
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
	if len(line) == 0 { // the id was checked when it was made, the attributes above
		return errors.New("session: the cookie cannot be written")
	}
	s.clearCopies(h)
	s.clearFormer(h)
	jar.Add(h, string(line))
	s.cookieSent, s.cookieChanged = true, false
	if s.tellGuard && s.m.guard != nil {
		s.m.guard.LoggedIn(h, s.owner, s.authenticated.Time())
	}
	if !s.m.policy.saveIsUse() {
		s.expires = s.expiry(s.now)
	}
	return nil
}

// expireCookie expires the request's cookie in the browser, if it is this request that
// ended the session. Otherwise the browser may have a newer cookie.
func (s *Session[T]) expireCookie(h http.Header) {
	if h == nil || s.source == token.Header || s.sent == nil || !s.ended || s.m.keepDeadCookie {
		return
	}
	s.clearCopies(h)
	s.clearFormer(h)
	a := s.settings.attributes(1) // just after 1970 began
	if s.m.policy.cookieEndsWithSession() {
		a.MaxAge = -1
	}
	if line := cookie.Append(nil, s.m.name, "", &a); len(line) > 0 { // empty if a stored cookie cannot be written
		jar.Add(h, string(line))
	}
}
