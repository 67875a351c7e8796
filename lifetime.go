package session

import (
	"github.com/nestsession/session/internal/document"
	"math"
	"time"
)

// lifetimeOf reads a MaxAge: zero is none; a fraction of a millisecond is cut off.
func lifetimeOf(maxAge time.Duration) document.Lifetime {
	if maxAge == 0 || maxAge == UntilClosed {
		return document.Lifetime{Off: maxAge == UntilClosed}
	}
	return document.Lifetime{Set: true, MS: int64(math.Floor(float64(maxAge) / float64(time.Millisecond)))}
}

// maxAgeOf is the other way round.
func maxAgeOf(l document.Lifetime) time.Duration {
	switch {
	case l.Off:
		return UntilClosed
	case l.Set && l.MS == 0:
		return 1
	}
	return time.Duration(l.MS) * time.Millisecond
}

// Cookie returns how this session's cookie is set. MaxAge is the lifetime from each
// visit on; Expires is always zero, see [Session.Expires].
func (s *Session[T]) Cookie() Cookie {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := *s.settings
	c.MaxAge, c.Expires = maxAgeOf(s.lifetime), time.Time{}
	return c
}

// SetCookie gives the session a cookie of its own in place of the Config's; it is
// sent with this response, and kept with the session. A cookie that cannot be
// written (see Config.Cookie) fails the save.
func (s *Session[T]) SetCookie(c Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lifetime, expires := s.lifetime, s.expires
	s.set(c)
	if !s.m.policy.saveIsUse() && s.lifetime == lifetime {
		s.expires = expires // other settings do not count as use
	}
}

// SetMaxAge gives the session a lifetime of its own: "remember me". It replaces the
// Config's MaxAge and IdleTimeout. The absolute timeout remains, for the browser's cookie
// too: raise Config.AbsoluteTimeout for a longer life, of which a line in the log reminds.
// Zero: until the browser closes. A negative one fails the save, since the session would
// be over before it begins: [Session.Destroy] ends one.
func (s *Session[T]) SetMaxAge(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := *s.settings
	c.MaxAge, c.Expires = d, time.Time{}
	s.set(c)
}

func (s *Session[T]) set(c Cookie) {
	s.changing()
	s.settle(&c)
	s.ownCookie, s.settingsChanged = true, true
	if life := c.MaxAge; life > s.m.absolute && s.m.absolute > 0 && s.m.policy.refusesEndedLifetimes() {
		s.m.warn(s.r.Context(), &s.m.warnedAge, "session: a session was given a longer life than Config.AbsoluteTimeout, which ends it: raise that, or write less",
			"lifetime", life, "absolute", s.m.absolute)
	}
	s.expires = s.expiry(s.m.present())
}

// settle takes over a cookie, and fixes what in it depends on the request and on
// the time.
func (s *Session[T]) settle(c *Cookie) {
	s.settings, s.lifetime = s.m.resolve(c, s.secure), lifetimeOf(c.MaxAge)
	if !c.Expires.IsZero() {
		s.lifetime = document.Lifetime{Set: true, MS: int64(document.InstantOf(c.Expires) - s.m.present())}
	}
}

// lastUsed is when the session was last saved or touched: the store's expiry is the
// idle timeout later, unless the absolute timeout cut it.
func (s *Session[T]) lastUsed() document.Instant {
	idle := s.idle()
	if !idle.Set || s.deadline == 0 || s.deadline == s.m.keepUntil(s.created) {
		return s.used
	}
	return max(s.used, min(s.deadline-document.Instant(idle.MS), s.m.present()))
}

// idle is how long the session lives from each visit on.
func (s *Session[T]) idle() document.Lifetime {
	switch {
	case s.lifetime.Set && (s.ownCookie || s.m.idle <= 0):
		return s.lifetime
	case s.m.idle > 0:
		return lifetimeOf(s.m.idle)
	case s.m.idle == NoTimeout:
		return document.Lifetime{}
	}
	return lifetimeOf(DefaultIdleTimeout)
}

// expiry is when a session that is used now ends: the idle timeout from now,
// within the absolute one.
func (s *Session[T]) expiry(now document.Instant) document.Instant {
	return s.within(s.idle().From(now))
}

// within is the earlier of a moment and of the absolute timeout; zero is never.
func (s *Session[T]) within(at document.Instant) document.Instant {
	return earlier(at, s.m.end(s.created))
}

// recordExpiry is until when the store keeps a session that is used now.
func (s *Session[T]) recordExpiry(now document.Instant) document.Instant {
	return earlier(s.idle().From(now), s.m.keepUntil(s.created))
}

// cookieExpiry is until when the browser keeps a cookie that is sent now; zero until it
// closes.
func (s *Session[T]) cookieExpiry(now document.Instant) document.Instant {
	at := s.lifetime.From(now)
	if at != 0 && s.m.policy.cookieEndsWithSession() {
		at = s.within(at)
	}
	return at
}

func earlier(a, b document.Instant) document.Instant {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// end is when the absolute timeout ends a session; zero if there is none.
func (c *core) end(created document.Instant) document.Instant {
	if c.absolute <= 0 || created == 0 {
		return 0
	}
	return created + document.Instant(c.absolute/time.Millisecond)
}

// overdue is for how many milliseconds a record is kept that the absolute timeout has
// ended, so that a visit finds out that it was this timeout.
const overdue = 3_600_000

// keepUntil is when the store may forget a session at the latest; zero if never.
func (c *core) keepUntil(created document.Instant) document.Instant {
	end := c.end(created)
	if end != 0 && c.policy.ownsRecords() {
		end += overdue
	}
	return end
}
