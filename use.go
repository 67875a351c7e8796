package session

import (
	"context"
	"errors"
	"time"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// isUse reports whether the store is to be told that the session was used.
func (s *Session[T]) isUse() bool {
	switch {
	case s.touched && s.alias == "":
		return s.came()
	case s.written, !s.came() && !s.repair:
		return false // stored by this very request, or found through an old id
	}
	at, _ := s.ends()
	return s.due(at) || s.outdated() || s.wantsCookie()
}

// outdated reports whether the bookkeeping wants to be written anew: the session's new id
// was seen, or a secret that is to be dropped has sealed it.
func (s *Session[T]) outdated() bool {
	return s.doc.Meta.Unseen && s.came() || s.doc.Meta.OldSecret
}

// wantsCookie reports whether the browser is to get the cookie though nothing has changed.
func (s *Session[T]) wantsCookie() bool {
	return s.repair || s.resend || s.m.policy.cookieNeedsWrite() && (s.m.rolling || s.sent.Old || s.saved != nil && s.lifetime.Set)
}

// use tells the store that the session was used. Where the browser is to get its cookie
// with that it is a swap, which shows that no other request has ended the session or
// logged in meanwhile: whose cookie this one would take away. A write that fails costs
// nothing but time: the page goes out, without the cookie.
func (s *Session[T]) use(ctx context.Context, value *T, body []byte) (err error) {
	d := s.m.outlive(ctx)
	defer d.End()
	at, _ := s.ends()
	if s.outdated() || s.wantsCookie() || s.lifetime.Set && s.m.policy.cookieNeedsWrite() {
		s.enough = func() bool { at, _ := s.ends(); return !s.due(at) && !s.outdated() }
		err = s.swap(d, value, body)
		s.enough, s.checked = nil, err == nil
	} else if err = s.m.store.Touch(d, s.key, at.Time()); err == nil {
		s.deadline, s.expires, s.touched = at, s.within(at), false
	} else if errors.Is(err, store.ErrNotFound) && s.m.gone(d, s.key) {
		return s.revoked(ctx)
	} else if errors.Is(err, store.ErrNotFound) {
		err = s.reload(d) // under Express.Rules Renew leaves a link in the record's place
		if superseded := (*supersededError)(nil); errors.As(err, &superseded) {
			return s.revoked(ctx)
		}
	}
	if errors.Is(err, ErrRevoked) {
		return err
	}
	if err != nil {
		s.touched = false // once is enough to tell
		s.m.emit(ctx, Event{Kind: EventTouchFailed, Owner: s.owner, Err: &storeError{err}}, s.key)
	}
	return nil
}

func (s *Session[T]) due(at document.Instant) bool {
	switch {
	case s.m.touchEvery < 0:
		return true
	case at == 0 || s.deadline == 0:
		return at != s.deadline
	}
	every := s.m.touchEvery
	if every == 0 {
		every = time.Duration(s.idle().MS) * time.Millisecond / 10
	}
	if s.lifetime.Set && s.m.policy.cookieNeedsWrite() { // the browser's cookie must not expire in between
		every = min(every, time.Duration(s.lifetime.MS)*time.Millisecond/10)
	}
	return at != s.deadline && at.Sub(s.deadline).Abs() >= every
}
