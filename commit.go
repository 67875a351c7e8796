package session

import (
	"bytes"
	"context"
	"errors"
	"net/http"
)

// Commit ends the request's work with a session that [Manager.Open] gave: it saves
// what has changed, else moves the expiry if it is time to, and adds the cookie to
// h if one is due. Call it before the response's header leaves and, if the handler
// goes on after that, once more at the end with h nil. An adapter does not call it for a
// handler that has panicked. Within Handler it puts the cookie into a header that
// net/http does not write: that of a WebSocket's upgrade. It goes on when ctx is
// canceled (the client has gone, the changes count), for Config.SaveTimeout at the
// most.
//
// On an error answer with that alone, and nothing of the handler's. That the session
// has ended meanwhile is no error: the changes are dropped, and an event says so. The
// cookie stays as it is then, since the browser may have a newer one.
func (m *Manager[T]) Commit(ctx context.Context, s *Session[T], h http.Header) error {
	ctx = s.m.quiet(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		s.headerSent = true
	}
	s.catchUp()
	s.now = s.m.present()
	if !s.resend { // else with the cookie, for it to be the last line, or not at all
		s.clearCopies(h)
	}
	s.keepExpiry = !s.m.policy.saveIsUse() && s.cookieSent // the record is to expire with the cookie
	err := s.settleUp(ctx, h)
	if h != nil {
		s.headerSent = true
	}
	if errors.Is(err, ErrRevoked) {
		return nil
	}
	if err != nil {
		s.reportSave(ctx, err)
	}
	return err
}

// settleUp is what a request's end asks of the store and of the header.
func (s *Session[T]) settleUp(ctx context.Context, h http.Header) error {
	if s.doomed != nil || s.state == stateEnding {
		if err := s.endAgain(ctx); err != nil {
			return err
		}
	}
	switch s.state {
	case stateNew:
		return s.settleNew(ctx, h)
	case stateStored:
		return s.settleStored(ctx, h)
	case stateEnded:
		s.expireCookie(h)
	}
	return nil
}

// endAgain tries once more what the store has failed to end when the handler asked for
// it. Whoever was told of a logout must be logged out.
func (s *Session[T]) endAgain(ctx context.Context) error {
	d := s.m.outlive(ctx)
	defer d.End()
	if s.doomed != nil {
		if err := s.remove(d, s.doomed.event, ErrRegenerated, s.doomed.keys...); err != nil {
			return err
		}
		s.doomed = nil
	}
	if s.state != stateEnding {
		return nil
	}
	err := s.end(d)
	if err == nil {
		s.finish()
	}
	return err
}

// unsettled reports whether there is something left to do after the header.
func (s *Session[T]) unsettled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateEnding || s.state <= stateStored && (s.deferred || s.pending())
}

// pending reports whether the request has changed something and not saved it.
func (s *Session[T]) pending() bool {
	return len(s.updates) > 0 || s.settingsChanged || s.ownerMoved || s.touched
}

func (s *Session[T]) settleNew(ctx context.Context, h http.Header) error {
	if s.superseded {
		if len(s.updates) > 0 || s.settingsChanged || s.ownerMoved {
			s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonSuperseded}, s.sent.Key)
		}
		s.forget()
		return nil
	}
	value, body, err := s.replayAtEnd(ctx)
	if err != nil {
		return err
	}
	changed, err := s.modified(body)
	if err != nil {
		return err
	}
	changed = changed || s.ownerMoved || s.loggedIn || s.regenerated && s.m.policy.storesEmptyRegenerated()
	if !changed && !s.m.saveUninitialized {
		if s.regenerated {
			s.expireCookie(h)
		}
		return nil
	}
	if !changed && s.m.policy.defersHarmlessWrites() && h != nil && (s.secure || s.settings.Secure != SecureAlways) {
		// Nothing in it can be lost: it is stored when the request ends.
		s.deferred = true
		if err := s.needID(); err != nil {
			return err
		}
		return s.sendCookie(ctx, h)
	}
	d := s.m.outlive(ctx)
	defer d.End()
	err = s.create(d, value, body)
	if errors.Is(err, ErrInsecure) || errors.Is(err, ErrHeaderSent) {
		// There is no client that could come back to it: a record would only take room.
		reason := ReasonHeaderSent
		if errors.Is(err, ErrInsecure) {
			reason = ReasonInsecure
			s.m.cookieNotSent(ctx, reason, "")
		}
		if changed {
			s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: reason}, "")
		}
		s.forget()
		return nil
	}
	if err != nil {
		return err
	}
	s.written = true
	s.saved = s.doc
	return s.sendCookie(ctx, h)
}

func (s *Session[T]) settleStored(ctx context.Context, h http.Header) error {
	if s.follows != "" {
		d := s.m.outlive(ctx)
		defer d.End()
		return s.saveFollower(d)
	}
	if h == nil && !s.deferred && !s.pending() {
		return nil // settled when the header left
	}
	value, body, err := s.replayAtEnd(ctx)
	if err != nil {
		return err
	}
	changed := s.ownerMoved
	if body != nil && !changed {
		since, err := s.m.codec.Encoding(s.doc)
		if err != nil {
			return err
		}
		changed = !bytes.Equal(since, body)
	}
	newCookie := s.settingsChanged
	wait := s.m.policy.defersHarmlessWrites() && h != nil && !s.repair // what loses nothing is done when the request ends
	stale := s.settingsChanged || s.m.resave && s.saved == nil
	if s.m.policy.defersHarmlessWrites() && !wait && !changed {
		if stale, err = s.staleInExpress(body); err != nil {
			return err
		}
	}
	s.checked = false
	switch {
	case changed, stale && !wait:
		d := s.m.outlive(ctx)
		defer d.End()
		if err := s.swap(d, value, body); err != nil {
			return err
		}
		s.written = true
		s.saved = s.doc
		s.checked = true
	case wait:
		s.deferred = true
	case s.isUse():
		if err := s.use(ctx, value, body); err != nil {
			return err
		}
		s.written = true
	}
	if h == nil {
		s.deferred = false
		return nil
	}
	if send, err := s.sends(body, newCookie); err != nil || !send {
		return err
	}
	return s.sendCookie(ctx, h)
}

// staleInExpress is what express-session writes at the end of a request that has
// changed no data since its last save: what Resave asks for, what Reload has brought
// that was not there at first, and a changed cookie, as part of its touch.
func (s *Session[T]) staleInExpress(body []byte) (bool, error) {
	if s.regenerated {
		return true, nil
	}
	since := s.saved
	if since == nil {
		since = s.origin
	}
	if modified, err := s.differs(body, since); modified || err != nil || s.saved == nil && s.m.resave {
		return true, err
	}
	return s.settingsChanged && s.came(), nil
}

// came reports whether the session has the id that the request's cookie brought.
func (s *Session[T]) came() bool { return s.sent != nil && s.sent.ID == s.id }

// sends reports whether the response carries the cookie of a stored session: one that the
// browser does not have, or whose expiry moves. Except under Express.Rules it does only if
// a write has just shown that the session lives (s.checked): another request may have
// logged in, and then the browser has, or will have, a newer cookie.
func (s *Session[T]) sends(body []byte, newCookie bool) (bool, error) {
	switch {
	case s.follows != "":
		return false, nil
	case s.alias != "":
		return s.repair && s.checked, nil // renewed: the old id must not come back, and the new one has to arrive
	case !s.came():
		return true, nil
	case s.m.policy.cookieNeedsWrite() && !s.checked:
		return false, nil
	case s.m.rolling || s.resend || s.m.policy.cookieNeedsWrite() && (newCookie || s.sent.Old || s.lifetime.Set):
		return true, nil
	case s.lifetime.Set || s.lifetime.Off:
		// The browser's copy of the expiry moves with each change, as express-session's.
		return s.modified(body)
	}
	return false, nil
}
