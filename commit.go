package session

import (
	"context"
	"errors"
	"net/http"

	"github.com/nestsession/session/internal/records"
	"github.com/nestsession/session/store"
)

// Commit ends the request's work with a session from [Manager.Open]. It saves what has
// changed; if nothing has, it moves the expiry when that is due. It adds the cookie to h if
// one is due. Call it before the response's headers are sent. If the handler goes on after
// that, call it once more at the end, with a nil h. For a handler that has panicked an
// adapter calls [Manager.Abort] instead. Within Handler, call it to put the cookie into headers that
// net/http does not write, such as those of a WebSocket's upgrade.
//
// Commit goes on when ctx is canceled, for at most Config.StoreLimits.SaveTimeout: the
// changes count even if the client has disconnected.
//
// On an error, answer with an error response and with nothing from the handler. It is no
// error if the session has ended in the meantime: the changes are dropped, an event reports
// that, and the cookie stays as it is, since the browser may have a newer one.
func (m *Manager[T]) Commit(ctx context.Context, s *Session[T], h http.Header) error {
	ctx = s.m.exchanges.Quiet(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		s.headerSent = true
	}
	s.catchUp()
	s.now, s.late = s.m.present(), false
	if !s.resend { // otherwise together with the cookie, so that the cookie is the last line
		s.clearCopies(h)
	}
	s.keepExpiry = !s.m.policy.saveIsUse() && s.cookieSent // the record must expire with the cookie
	err := s.commitState(ctx, h)
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

// commitState does what the session's state requires at the end of a request.
func (s *Session[T]) commitState(ctx context.Context, h http.Header) error {
	if s.pendingDelete != nil || s.state == stateEnding {
		if err := s.retryEnd(ctx); err != nil {
			return err
		}
	}
	switch s.state {
	case stateNew:
		return s.commitNew(ctx, h)
	case stateStored:
		return s.commitStored(ctx, h)
	case stateEnded:
		s.expireCookie(h)
	}
	return nil
}

// retryEnd tries again to end what the store failed to end during the handler. A user who
// was shown as logged out must be logged out.
func (s *Session[T]) retryEnd(ctx context.Context) error {
	d := s.closing.Without(ctx, s.m.records.SaveTimeout)
	defer d.End()
	if s.pendingDelete != nil {
		if err := s.remove(d, s.pendingDelete.event, ErrRegenerated, s.pendingDelete.keys...); err != nil {
			return err
		}
		s.pendingDelete = nil
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

// hasMoreToCommit reports whether work is left after the headers are sent.
func (s *Session[T]) hasMoreToCommit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateEnding || s.state <= stateStored && (s.deferred || s.pending())
}

// pending reports whether the request has unsaved changes.
func (s *Session[T]) pending() bool { return s.touched || s.altered() }

// altered is pending without Touch, which changes nothing that could be lost.
func (s *Session[T]) altered() bool {
	return s.recorded.Any() || s.settingsChanged || s.relabeled()
}

// relabeled reports whether the request has changed the owner, the device's name or a note.
func (s *Session[T]) relabeled() bool {
	return s.ownerMoved || s.named != nil || s.noted != nil
}

func (s *Session[T]) commitNew(ctx context.Context, h http.Header) error {
	if s.superseded {
		if s.altered() {
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
	changed = changed || s.relabeled() || s.loggedIn || s.regenerated && s.m.policy.storesEmptyRegenerated()
	if !changed && !s.m.saveUninitialized {
		if s.regenerated {
			s.expireCookie(h)
		}
		return nil
	}
	if !changed && s.m.policy.defersHarmlessWrites() && h != nil && (s.secure || s.settings.Secure != SecureAlways) {
		// No data can be lost: the session is stored at the end of the request.
		s.deferred = true
		if err := s.needID(); err != nil {
			return err
		}
		return s.sendCookie(ctx, h)
	}
	d := s.closing.Without(ctx, s.m.records.SaveTimeout)
	defer d.End()
	err = s.create(d, value, body)
	if errors.Is(err, ErrInsecure) || errors.Is(err, ErrHeaderSent) {
		// No client could return to the session, so a record would only use space.
		reason := ReasonHeaderSent
		if errors.Is(err, ErrInsecure) {
			reason = ReasonInsecure
			s.m.insecure(ctx, EventCookieNotSent, "")
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

func (s *Session[T]) commitStored(ctx context.Context, h http.Header) error {
	if s.follows != nil {
		d := s.closing.Without(ctx, s.m.records.SaveTimeout)
		defer d.End()
		return s.saveFollower(d)
	}
	if h == nil && !s.deferred && !s.pending() {
		return nil // committed when the headers were sent
	}
	value, body, err := s.replayAtEnd(ctx)
	if err != nil {
		return err
	}
	changed := s.relabeled()
	if body != nil && !changed {
		same, err := s.m.codec.Encodes(s.doc, body)
		if err != nil {
			return err
		}
		changed = !same
	}
	extends := s.extends()
	s.extend = h != nil && extends
	wait := s.m.policy.defersHarmlessWrites() && h != nil && !s.repair // writes that can be lost without harm are done at the end of the request
	stale := s.settingsChanged || s.m.resave && s.saved == nil
	if s.m.policy.defersHarmlessWrites() && !wait && !changed {
		if stale, err = s.staleInExpress(body); err != nil {
			return err
		}
	}
	s.checked = false
	switch {
	case changed, stale && !wait:
		d := s.closing.Without(ctx, s.m.records.SaveTimeout)
		defer d.End()
		if err := s.swap(d, value, body); err != nil {
			return err
		}
		s.written = true
		s.saved = s.doc
		s.checked = true
	case wait:
		s.deferred = true
	case s.isUse(extends):
		if err := s.use(ctx, h, value, body); err != nil {
			return err
		}
		s.written = true
	}
	if h == nil {
		s.deferred = false
		return nil
	}
	if send, err := s.sends(body); err != nil || !send {
		return err
	}
	return s.sendCookie(ctx, h)
}

// staleInExpress reports whether express-session would write at the end of a request that
// has changed no data since its last save. It writes for Resave, for data that Reload
// brought, and, as part of its touch, for a changed cookie.
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

// sends reports whether the response carries the cookie of a stored session: a cookie that
// the browser does not have, or whose expiry moves. Except under Express.Rules, it is sent
// only if a write has just shown that the session is live (s.checked). Otherwise another
// request may have logged in, and the browser has, or will have, a newer cookie.
func (s *Session[T]) sends(body []byte) (bool, error) {
	switch {
	case s.follows != nil:
		return false, nil
	case s.alias != "":
		return s.repair && s.checked, nil // renewed: the old id must not be sent again, and the new one must reach the client
	case !s.came():
		return true, nil
	case s.m.policy.cookieNeedsWrite():
		return s.extend && s.checked, nil
	case s.m.rolling || s.resend:
		return true, nil
	case s.lifetime.Set || s.lifetime.Off:
		// The expiry in the browser moves with each change, as in express-session.
		return s.modified(body)
	}
	return false, nil
}

// extends reports whether the browser gets the cookie of a stored session with the write at
// hand, although nothing has changed. A change alone is no reason: its response may arrive
// after that of a login which was made later, and the browser would keep the older cookie.
// Under Express.Rules it is one: see sends.
func (s *Session[T]) extends() bool {
	switch {
	case s.alias != "" || s.follows != nil:
		return s.repair
	case !s.came():
		return true
	case !s.m.policy.cookieNeedsWrite():
		return s.resend
	}
	return s.m.rolling || s.resend || s.cookieChanged || s.sent.Old || s.lifetime.Set && (s.touched || s.cookieDue())
}

// rollBack drops the request's unsaved changes. The session is then as it was when it was
// last loaded or saved, and code that recovers may go on with it.
func (s *Session[T]) rollBack(ctx context.Context, reason Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
	if s.state > stateStored || !s.pending() {
		return
	}
	if s.altered() {
		s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: reason}, s.key)
	}
	s.forget()
	if s.ownerMoved {
		s.owner = s.ownerBefore
	}
	if s.loggedIn {
		s.loggedIn, s.tellGuard, s.authenticated, s.methods = false, false, 0, ""
	}
	if s.settingsChanged {
		s.ownCookie = false
		s.useCookie(s.m.settings(s.r))
	}
	s.touched, s.settingsChanged, s.cookieChanged, s.ownerMoved, s.deferred = false, false, false, false, false
	if s.state == stateNew {
		s.expires = s.expiry(s.created)
		return
	}
	s.learn(&loaded[T]{rec: store.Record{Expires: s.deadline.Time()}, doc: s.doc})
}

// outlook reports whether the end of the request would save something, and whether it has
// nothing to do at all.
func (s *Session[T]) outlook() (saves, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	saves = s.state <= stateStored && (s.pending() || s.m.resave || s.m.saveUninitialized)
	// A failed request does not count as use of the session. But an id that is already in
	// the store must still reach the client.
	unchanged := s.state == stateStored && s.came() || s.state == stateNew && !s.regenerated
	return saves, s.failed && unchanged && !s.pending()
}

// unsend records that the headers, with the cookie in them, are not sent after all.
func (s *Session[T]) unsend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headerSent, s.cookieSent = false, false
}

// taken drops and reports the changes whose cookie can no longer reach the client.
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
		} else if changed || s.relabeled() {
			s.m.emit(ctx, e, "")
			s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonHijacked}, "")
		}
		s.forget()
		s.ownerMoved, s.settingsChanged, s.touched = false, false, false
	}
}

// close records that the request is over. From now on only Save stores changes.
func (s *Session[T]) close(ctx context.Context, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headerSent, s.over = true, true
	if !failed && s.state <= stateStored && s.altered() {
		s.tooLateIn(ctx)
	}
}

func (s *Session[T]) tooLate() { s.tooLateIn(context.Background()) }

// tooLateIn reports the first change after the end of the request.
func (s *Session[T]) tooLateIn(ctx context.Context) {
	if s.overReported || s.state > stateStored {
		return
	}
	s.overReported = true
	s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonFinished}, s.key)
}

// abandon deletes a session that this request has created and that no client can know,
// because its cookie was discarded. A session that was already in the store stays, as if
// the client had disconnected.
func (s *Session[T]) abandon(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateStored || s.came() || s.alias != "" {
		return
	}
	s.m.emit(ctx, Event{Kind: EventCookieNotSent, Owner: s.owner, Reason: ReasonTimedOut}, s.key)
	if s.origin != s.m.codec.Empty {
		return // it was renewed and has the client's data
	}
	d := s.closing.Without(ctx, s.m.records.SaveTimeout)
	defer d.End()
	if err := s.m.records.Store.Delete(d, s.key); err != nil {
		s.m.emit(ctx, Event{Kind: EventSaveFailed, Owner: s.owner, Err: records.Failed("deleting", err)}, s.key)
		return
	}
	s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonTimedOut}, s.key)
	s.finish()
}

// reportUnsent reports that the session is stored under an id that the client did not get.
func (s *Session[T]) reportUnsent(ctx context.Context, reason Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateStored && !s.came() && s.alias == "" && !s.cookieSent {
		s.m.emit(ctx, Event{Kind: EventCookieNotSent, Owner: s.owner, Reason: reason}, s.key)
	}
}

// isUse reports whether the store must be updated because the session was used, or because
// the browser gets the cookie.
func (s *Session[T]) isUse(extends bool) bool {
	switch {
	case s.touched && s.alias == "":
		return s.came()
	case s.written, !s.came() && !s.repair:
		return false // stored by this request, or found through an old id
	}
	at, _ := s.ends()
	return extends || s.due(at) || s.outdated()
}

// outdated reports whether the record must be written again: the session's new id was seen
// for the first time, an old secret has sealed something in it, or Config.Seal asks for
// data that are sealed.
func (s *Session[T]) outdated() bool {
	return s.doc.Meta.Unseen && s.came() || s.doc.Meta.Stale
}

// use records the use of the session in the store. If the browser gets its cookie with it,
// the write is a swap, because a swap shows that no other request has ended the session or
// logged in. Otherwise this cookie would replace the newer one. A swap also stores what is
// new of the device. If the write fails, no data are lost: the response is sent without the
// cookie.
func (s *Session[T]) use(ctx context.Context, h http.Header, value *T, body []byte) (err error) {
	d := s.closing.Without(ctx, s.m.records.SaveTimeout)
	defer d.End()
	at, _ := s.ends()
	s.extend = s.extend || h != nil && s.m.policy.cookieNeedsWrite() && s.lifetime.Set && s.due(at)
	if s.extend || s.outdated() || s.extends() || s.m.devices.Moved(s.doc.Meta.Device, s.visit()) {
		s.enough = func() bool { at, _ := s.ends(); return !s.due(at) && !s.outdated() }
		err = s.swap(d, value, body)
		s.enough, s.checked = nil, err == nil
	} else if err = s.m.records.Store.Touch(d, s.key, at.Time()); err == nil {
		s.deadline, s.expires, s.touched = at, s.within(at), false
	} else if errors.Is(err, store.ErrNotFound) && s.m.records.IsGone(d, s.key) {
		return s.revoked(ctx)
	} else if errors.Is(err, store.ErrNotFound) {
		err = s.reload(d) // under Express.Rules, Renew replaces the record by a link
		if records.CarriesOn(err) != nil {
			return s.revoked(ctx)
		}
	}
	if errors.Is(err, ErrRevoked) {
		return err
	}
	if err != nil {
		s.touched = false // report it only once
		s.m.emit(ctx, Event{Kind: EventTouchFailed, Owner: s.owner, Err: &records.Failure{Err: err}}, s.key)
	}
	return nil
}
