package session

import (
	"bufio"
	"context"
	"github.com/nestsession/session/internal/frames"
	"net"
	"net/http"
)

// Hijack saves the session and hands the connection over. Whoever takes it writes the
// response, so that no cookie of ours leaves with it: a new session is not stored, and
// a cookie that was due is reported. Where it must leave, Commit puts it into a header
// beforehand. (After WriteHeader(101) it has left already.) httputil.ReverseProxy is
// known to write this response's header. If the connection cannot be handed over, the
// response goes on as if nothing had been asked.
func (w *response[T]) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	bottom := bottomOf(w.w)
	if _, can := bottom.(http.Hijacker); !can {
		return http.NewResponseController(bottom).Hijack() // which tells why not
	}
	c := http.NewResponseController(w.w)
	if w.sent.Swap(true) {
		if w.failed {
			return nil, nil, errAnswered
		}
		w.hijacked = true
		return c.Hijack()
	}
	proxied := frames.WritesHeader(w.x.depth)
	cookies, known, err := w.saveBeforeHijack(proxied)
	if err != nil {
		w.fail(err)
		return nil, nil, errAnswered
	}
	conn, rw, err := c.Hijack()
	if err != nil {
		w.carried = cookies
		if known != nil {
			known.unsend()
		}
		w.sent.Store(false)
		return nil, nil, err
	}
	w.hijacked = true
	switch {
	case known == nil:
	case proxied:
		for _, line := range cookies {
			addCookie(w.w.Header(), line)
		}
	default:
		known.unsend()
		known.taken(w.x.ctx.Context)
	}
	return conn, rw, nil
}

// saveBeforeHijack saves a session that the store has, since afterwards there is no
// way to answer with an error. It returns the cookies that are due, and the session if
// there is one that this response has not told the client of.
func (w *response[T]) saveBeforeHijack(proxied bool) ([]string, *Session[T], error) {
	x := w.x
	if broken := x.broken.Load(); broken != nil {
		return nil, nil, *broken
	}
	if !x.gate.Opened() {
		return nil, nil, nil
	}
	s := &x.s
	if s.isNew() && !proxied {
		return nil, s, nil // it is kept for the error page, or dropped
	}
	told := s.isSent()
	h := http.Header{}
	err := x.commit(h, http.StatusSwitchingProtocols)
	if told {
		s = nil
	}
	return h["Set-Cookie"], s, err
}

func (s *Session[T]) isNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateNew
}

func (s *Session[T]) isSent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cookieSent
}

// unsend takes back that the header has left with the cookie in it.
func (s *Session[T]) unsend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headerSent, s.cookieSent = false, false
}

// taken drops, and reports, what the client cannot be told of any more.
func (s *Session[T]) taken(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headerSent = true
	e := Event{Kind: EventCookieNotSent, Owner: s.owner, Reason: ReasonHijacked}
	switch {
	case s.state == stateStored && !s.came() && s.alias == "":
		s.m.emit(ctx, e, s.key)
	case s.state == stateNew && s.pending():
		_, body, err := s.replay()
		changed := true
		if err == nil {
			changed, err = s.modified(body)
		}
		if err != nil {
			s.reportSave(ctx, err)
		} else if changed || s.ownerMoved {
			s.m.emit(ctx, e, "")
			s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonHijacked}, "")
		}
		s.forget()
		s.ownerMoved, s.settingsChanged, s.touched = false, false, false
	}
}
