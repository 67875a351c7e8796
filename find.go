package session

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/jar"
	"github.com/nestsession/session/internal/verified"
)

// FormerCookie is a cookie that sessions had before Config.Name or Config.Cookie was
// changed: what browsers tell cookies apart by (RFC 6265 section 5.3).
type FormerCookie struct {
	Name        string // "": Config.Name, or what its default was for such a cookie
	Domain      string // "": the host alone
	Path        string // "": "/"
	Partitioned bool
}

// warnCopiesEvery is how often the log says that clients come with several cookies.
const warnCopiesEvery = time.Hour

// maxCopies bounds how many cookies of one name are looked at in a request.
const maxCopies = 8

// identify looks for the session that the request's cookies name. sent is nil if there is
// none that is well signed; else at and err are what [Manager.load] says of it. With
// several cookies of the name it is the one that is well signed and names a session that
// lives, if there is exactly one of that kind.
func (m *Manager[T]) identify(ctx context.Context, s *Session[T]) (sent *verified.Cookie, at loaded[T], err error) {
	lines := s.r.Header["Cookie"]
	value, n := cookie.Lookup(lines, m.name)
	if n == 0 {
		return m.findFormer(ctx, s)
	}
	if n > 1 && !m.firstCookie {
		return m.findAmong(ctx, s, m.name, n)
	}
	if sent = m.accept(ctx, value); sent == nil {
		return nil, at, nil
	}
	at, err = m.load(ctx, sent.Key, sent.ID)
	return sent, at, err
}

// accept verifies a cookie's value, and reports one that is not accepted.
func (m *Manager[T]) accept(ctx context.Context, value string) *verified.Cookie {
	v, err := m.cookies.Verify(value)
	if err == nil {
		return v
	}
	reason := ReasonMalformed
	if errors.Is(err, cookie.ErrSignature) {
		reason = ReasonSignature
	}
	m.emit(ctx, Event{Kind: EventRejected, Reason: reason}, "")
	return nil
}

// findFormer looks for the session under the names that its cookie had before, and goes
// on to the next name where it does not live.
func (m *Manager[T]) findFormer(ctx context.Context, s *Session[T]) (sent *verified.Cookie, at loaded[T], err error) {
	for i := range m.former {
		name := m.former[i].Name
		if name == m.name || slices.ContainsFunc(m.former[:i], func(f FormerCookie) bool { return f.Name == name }) {
			continue
		}
		value, n := cookie.Lookup(s.r.Header["Cookie"], name)
		var c candidate[T]
		switch {
		case n == 0:
			continue
		case n > 1 && !m.firstCookie:
			c.sent, c.at, c.err = m.findAmong(ctx, s, name, n)
		default:
			if c.sent = m.accept(ctx, value); c.sent != nil {
				c.at, c.err = m.load(ctx, c.sent.Key, c.sent.ID)
			}
		}
		if c.sent == nil {
			continue
		}
		if sent, at, err = c.sent, c.at, c.err; err == nil || !c.dead() {
			s.resend = err == nil
			return sent, at, err
		}
	}
	return sent, at, err
}

// candidate is a cookie of several, and what it names.
type candidate[T any] struct {
	sent *verified.Cookie
	at   loaded[T]
	err  error
}

// dead reports whether the store has answered, and there is no session to be had.
func (c *candidate[T]) dead() bool {
	undecodable := (*undecodableError)(nil)
	return isOver(c.err) || errors.As(c.err, &undecodable)
}

// findAmong looks at several cookies of a name. They come from a change of Domain, Path
// or Partitioned, or from somebody on a neighbouring host who has planted one. The
// response clears those that are not taken.
func (m *Manager[T]) findAmong(ctx context.Context, s *Session[T], name string, n int) (*verified.Cookie, loaded[T], error) {
	m.emit(ctx, Event{Kind: EventRejected, Reason: ReasonDuplicate}, "")
	if m.now().Unix()-m.warnedCopies.Load() >= int64(warnCopiesEvery.Seconds()) {
		m.warn(ctx, &m.warnedCopies, "session: a client has sent several cookies of one name: Config.Cookie was changed, or another host of the domain "+
			"sets one too; the response clears those that are not the session's, and Config.OnEvent tells of each", "name", name, "cookies", n)
	}
	s.copies, s.copied = clearOthers, name
	var alive []candidate[T]
	var dead candidate[T]
	var seen []string
	for value := range cookie.All(s.r.Header["Cookie"], name) {
		v, err := m.cookies.Verify(value)
		if err != nil || slices.Contains(seen, v.Key) {
			continue
		}
		if seen = append(seen, v.Key); len(seen) > maxCopies {
			break
		}
		at, err := m.load(ctx, v.Key, v.ID)
		c := candidate[T]{v, at, err}
		superseded := (*supersededError)(nil)
		switch i := slices.IndexFunc(alive, func(c candidate[T]) bool { return c.at.key == at.key }); {
		case err == nil && i < 0:
			alive = append(alive, c)
		case err == nil && at.key == v.Key:
			alive[i] = c // the session's own id rather than the one before Renew
		case err == nil:
		case !c.dead():
			return v, at, err // the store does not answer
		case dead.sent == nil, errors.As(err, &superseded):
			dead = c
		}
	}
	switch len(alive) {
	case 0:
		return dead.sent, dead.at, dead.err
	case 1:
		s.resend = true
		return alive[0].sent, alive[0].at, nil
	}
	s.copies = clearAll // which of them is the user's cannot be told
	return nil, loaded[T]{}, nil
}

// clearing says what becomes of several cookies of the name.
type clearing uint8

const (
	clearNone   clearing = iota
	clearOthers          // all but the one that Config.Cookie describes
	clearAll
)

// clearCopies takes cookies of the name from the browser wherever this host may have set
// them, or one above it for all its hosts: a browser does not say which they are. A
// cookie came with this request, so that its path is a beginning of the request's. The
// likely ones come first, for where a long path makes them too many.
func (s *Session[T]) clearCopies(h http.Header) {
	if h == nil || s.copies == clearNone {
		return
	}
	all := s.copies == clearAll
	s.copies = clearNone
	own := FormerCookie{s.m.name, jar.DomainOf(s.settings.Domain), s.settings.path(), s.settings.Partitioned}
	hosts := jar.Domains(s.r.Host)
	if !slices.Contains(hosts, own.Domain) {
		hosts = append(hosts, own.Domain) // behind a proxy that does not pass on the Host
	}
	lines := 0
	for _, path := range jar.Paths(jar.RequestPath(s.r), own.Path) {
		for _, domain := range hosts {
			for _, partitioned := range []bool{false, true} {
				c := FormerCookie{s.copied, domain, path, partitioned}
				if (c != own || all) && s.clearCookie(h, c) {
					lines++
				}
				if lines == jar.MaxClears {
					return
				}
			}
		}
	}
}

// clearFormer takes the cookies from the browser that the session had before Config.Cookie
// was changed, when it gets another or has ended.
func (s *Session[T]) clearFormer(h http.Header) {
	for _, c := range s.m.former {
		if _, n := cookie.Lookup(s.r.Header["Cookie"], c.Name); n > 0 {
			s.clearCookie(h, c)
		}
	}
}

func (s *Session[T]) clearCookie(h http.Header, c FormerCookie) bool {
	lower := strings.ToLower(c.Name)
	host := strings.HasPrefix(lower, "__host-")
	needsSecure := c.Partitioned || host || strings.HasPrefix(lower, "__secure-")
	if host && (c.Domain != "" || c.Path != "/") || needsSecure && !s.secure {
		return false // browsers keep no such cookie, or do not let go of it over plain HTTP
	}
	a := s.settings.attributes(0)
	a.MaxAge, a.Domain, a.Path, a.Partitioned = -1, c.Domain, c.Path, c.Partitioned
	if a.Secure = s.secure && (a.Secure || needsSecure); c.Partitioned {
		a.SameSite = cookie.SameSiteNone // else a browser refuses it within another site's page
	}
	line := cookie.Append(nil, c.Name, "", &a)
	if len(line) == 0 || slices.Contains(h["Set-Cookie"], string(line)) {
		return false
	}
	addCookie(h, string(line))
	return true
}
