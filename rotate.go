package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// Login makes the session that of a user who has just logged in. Call it after the password
// (or other proof) is checked, and before you put the user's data into the session. owner
// is a name that the application chooses for the user, such as "user:42". It is UTF-8 text;
// [Manager.List] and [Manager.RevokeOwner] find the session by it.
//
// Login gives the session a new id, the owner, and the time of the login
// ([Session.AuthenticatedAt]). The absolute timeout counts from now. The session keeps the
// data of an anonymous visitor (a cart), and the data of the same owner. If it belonged to
// another owner, its data are dropped, and only this request's changes are kept.
//
// From then on the old id cannot read the session, so an id that an attacker planted before
// the login is useless (session fixation, CVE-2022-25896; ASVS 7.2.4). A request that began
// under the old id before the login, as the same visitor, does not see the new session, but
// its recorded updates are applied to it. A request that comes with the old id after the
// login, but within Config.RenewGrace, sees a new, empty session. Nothing of that is stored
// and no cookie is sent, unless the request logs in itself. Contexts of
// [Session.NotifyContext] end with [ErrLoggedIn]; the client reconnects with the new
// cookie.
//
// To give the same user's session a new id from time to time, use [Session.Renew]. To begin
// without any earlier data, use [Session.Regenerate].
//
// Errors: [ErrNoOwner]; [ErrHeaderSent]; [ErrInsecure]; [ErrRevoked] after Discard; the
// errors of [Session.Save]. After an error the session is as it was.
func (s *Session[T]) Login(ctx context.Context, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.forCaller(ctx)
	defer d.End()
	s.catchUp()
	err := s.login(d, owner)
	if err != nil {
		s.reportSave(d, err)
	}
	return err
}

func (s *Session[T]) login(ctx context.Context, owner string) error {
	switch {
	case owner == "":
		return ErrNoOwner
	case checkOwner(owner) != nil:
		return checkOwner(owner)
	case s.headerSent:
		return ErrHeaderSent
	case s.state == stateDiscarded:
		return ErrRevoked
	case s.settings.Secure == SecureAlways && !s.secure:
		return ErrInsecure
	case s.state == stateStored && s.follows == "":
		return s.move(ctx, owner)
	}
	switch s.state {
	case stateNew:
		if err := s.remove(ctx, Event{Kind: EventRegenerated}, ErrRegenerated, s.alias); err != nil {
			return err // the alias is a record that makes no sense to us
		}
	case stateStored: // another login has superseded it: what was there when this request came stays
		s.recorded.Unview()
		s.state, s.version, s.origin = stateNew, 0, s.m.codec.Empty
	default:
		if err := s.anew(ctx); err != nil {
			return err
		}
	}
	s.id, s.key, s.alias, s.follows, s.superseded = "", "", "", "", false
	if s.changing(); !s.ownerMoved {
		s.ownerBefore = s.owner
	}
	now := s.m.present()
	s.owner, s.ownerMoved, s.created, s.authenticated = owner, true, now, now
	s.expires = s.expiry(now)
	s.loggedIn = true // it is stored with what is put in
	return nil
}

// moving is a session that is getting a new id.
type moving struct {
	id      string       // the new one
	next    store.Record // its record; it has a version once it is stored
	login   string       // the owner of the new session; "": Renew
	dropped bool         // the data of another owner were dropped
	alone   bool         // the old session has ended: there is nothing to swap
}

// move stores the session under a new key, and then swaps the old record for a pointer to
// it. With this order a crash loses no session. A request that saves to the old record in
// the meantime makes the swap fail, so no change is lost.
func (s *Session[T]) move(ctx context.Context, login string) error {
	if s.settings.Secure == SecureAlways && !s.secure {
		return ErrInsecure
	}
	id, err := s.m.makeID(s.r)
	if err != nil {
		return err
	}
	mv := moving{id: id, login: login, next: store.Record{ID: s.m.key(id)}}
	before, doc, version := s.identity, s.doc, s.version
	undo := func(err error) error {
		s.undoMove(ctx, mv.next.ID)
		return err
	}
	restore := func(err error) error {
		s.identity, s.doc, s.version = before, doc, version
		s.recorded.Unview()
		return err
	}
	for try := 0; ; try++ {
		err := s.moveOnce(ctx, &mv)
		again := try < maxConflicts && (errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound))
		switch {
		case err == nil:
			return nil
		case !again && mv.next.Version == 0 && !errors.Is(err, store.ErrExists): // it is unknown whether it was created
			return restore(undo(err))
		case !again && mv.next.Version != 0 && definite(err): // otherwise the old record may point to it
			return restore(undo(err))
		case !again:
			return restore(err)
		case errors.Is(err, store.ErrConflict):
			if err := pauseBeforeRetry(ctx, try); err != nil {
				return restore(undo(err))
			}
		}
		switch err := s.reloadIfMoved(ctx); {
		case err == nil:
			s.m.emit(ctx, Event{Kind: EventConflict, Owner: s.owner}, s.key)
			if login == "" && s.alias != "" {
				return undo(nil) // another request has renewed it, which is enough
			}
		case !isOver(err):
			return restore(undo(err))
		case login == "":
			return undo(s.revoked(ctx))
		default:
			// Another request has logged out or in. This one still logs in. It keeps the
			// visitor's data if the other login has kept them.
			if superseded := (*supersededError)(nil); !errors.As(err, &superseded) || !superseded.carry {
				s.dropData()
			}
			mv.alone = true
		}
	}
}

// moveOnce makes one attempt of move.
func (s *Session[T]) moveOnce(ctx context.Context, mv *moving) error {
	s.now, s.keepExpiry, s.renewing = s.m.present(), false, mv.login == ""
	if mv.login != "" {
		if s.storedOwner != "" && s.storedOwner != mv.login {
			mv.dropped = true
			s.dropData()
		}
		s.owner, s.created, s.authenticated = mv.login, s.now, s.now
	}
	value, body, err := s.replay()
	if err != nil {
		return err
	}
	doc, rec, err := s.compose(mv.next.ID, value, body)
	if err != nil {
		return err
	}
	rec.Version = mv.next.Version
	write := s.m.store.Update
	if rec.Version == 0 {
		write = s.m.store.Create
	}
	version, err := write(ctx, rec)
	if rec.Version != 0 && (errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound)) {
		// RevokeOwner or UpdateOwner has found the record of an earlier attempt in a listing,
		// and has ended or changed it. Its id is not used again.
		s.undoMove(ctx, mv.next.ID)
		id, failed := s.m.makeID(s.r)
		if failed != nil {
			return failed
		}
		mv.id, mv.next = id, store.Record{ID: s.m.key(id)}
	}
	if err != nil {
		return &storeError{fmt.Errorf("giving a new id: %w", err)}
	}
	mv.next.Version = version
	if !mv.alone {
		if err := s.supersede(ctx, mv); err != nil {
			return &storeError{fmt.Errorf("giving a new id: %w", err)}
		}
	}
	s.moved(ctx, mv, doc, rec.Expires)
	return nil
}

// moved updates s after the move was stored.
func (s *Session[T]) moved(ctx context.Context, mv *moving, doc *document.Document[T], expires time.Time) {
	old := s.key
	s.keep(doc, mv.next.Version, expires)
	s.m.dropCached(old)
	s.setID(mv.id)
	e := Event{Kind: EventRenewed, Owner: s.owner, Former: s.m.digest(old)}
	if mv.login == "" {
		s.m.hub.Move(old, s.key)
	} else {
		e.Kind, s.superseded = EventLoggedIn, false
		s.m.hub.End(old, ErrLoggedIn)
		if mv.dropped && !mv.alone {
			s.m.emit(ctx, Event{Kind: EventRegenerated, Reason: ReasonSuperseded}, old)
		}
	}
	s.m.emit(ctx, e, s.key)
}

// dropData empties the session, except for this request's recorded changes.
func (s *Session[T]) dropData() {
	s.doc = s.m.codec.Empty
	s.useCookie(s.m.settings(s.r))
	s.ownCookie, s.settingsChanged = false, false
	s.storedOwner = ""
	s.recorded.Unview()
}

// supersede swaps the session's record, under its old key, for a pointer to the new one.
// Under Express.Rules it then deletes the old key and stores the pointer under another key,
// which express-session does not know. So express-session finds nothing under the old id,
// as after its own regenerate.
func (s *Session[T]) supersede(ctx context.Context, mv *moving) error {
	info := document.Meta{Successor: mv.next.ID, Login: mv.login != "", Carry: mv.login != "" && !mv.dropped}
	if !info.Login {
		info.Owner = s.owner // so that RevokeOwner and UpdateOwner find it, see visits
	}
	expires := s.now + s.m.graceEnd(linger)
	switch {
	case info.Login, s.m.grace <= 0:
		info.Until = s.now + s.m.graceEnd(0)
	default:
		info.Until = s.now + document.Instant(MaxRenewRepair/time.Millisecond)
		if end := s.expiry(s.now); end != 0 {
			info.Until = min(info.Until, end)
		}
		expires = info.Until + linger
		info.Unseen, info.Seen = s.sight()
		if !s.m.plainIDs {
			sealed, err := s.m.seal.SealID(s.id, mv.id)
			if err != nil {
				return err
			}
			info.NewID = sealed
		}
	}
	cookie := appendCookie(nil, s.settings, s.lifetime, info.Until)
	pointer := func(key string) store.Record {
		return store.Record{ID: key, Owner: info.Owner, Expires: expires.Time(), Data: document.Dataless(cookie, info, s.m.seal, key)}
	}
	old := pointer(s.key)
	old.Version = s.version
	if err := s.point(ctx, old, mv.next.ID); err != nil || s.m.policy.leavesTombstones() {
		return err
	}
	_, err := s.m.store.Create(ctx, pointer(linkKey(s.key)))
	if err == nil || errors.Is(err, store.ErrExists) {
		err = s.m.store.Delete(ctx, s.key)
	}
	if err != nil { // the session has moved all the same, and the old record points to it
		s.m.emit(ctx, Event{Kind: EventSaveFailed, Owner: s.owner, Err: &storeError{err}}, s.key)
	}
	return nil
}

// point swaps the old record for the pointer. If the outcome is unknown it retries, because
// the client must not be left with only the old id, which ends with the grace.
func (s *Session[T]) point(ctx context.Context, pointer store.Record, successor string) error {
	for try := 0; ; try++ {
		_, err := s.m.store.Update(ctx, pointer)
		if try > 0 && errors.Is(err, store.ErrConflict) {
			rec, failed := s.m.store.Load(ctx, pointer.ID)
			if failed == nil && s.m.seal.MetaOf(rec.ID, rec.Data).Successor == successor {
				return nil // an earlier try did it
			}
			if failed != nil {
				err = failed
			}
		}
		if err == nil || definite(err) || try == maxPoints || !backoff.Pause(ctx, backoff.Backoff(try)) {
			return err
		}
	}
}

// undoMove deletes the new record. No client has its id, so if the delete fails, the record
// expires unused.
func (s *Session[T]) undoMove(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.m.saveTimeout)
	defer cancel()
	if err := s.m.store.Delete(ctx, key); err != nil {
		s.m.emit(ctx, Event{Kind: EventSaveFailed, Owner: s.owner, Err: &storeError{err}}, key)
	}
}

// Renew gives the session a new id and keeps its data. Call it from time to time, so that a
// leaked id does not work for long. At a login use [Session.Login] instead, because after
// Renew the old id can still read the session for a while: until Config.RenewGrace has
// passed since the first request with the new id. Requests in flight therefore go on in the
// same session, and their updates are saved. A client that did not get the response comes
// with the old id again, and gets the new one then, within [MaxRenewRepair].
//
// Renew also saves this request's changes. If another request has renewed the session since
// this one was sent, Renew does nothing.
//
// Errors: [ErrRevoked]; [ErrHeaderSent]; the errors of [Session.Save].
func (s *Session[T]) Renew(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.forCaller(ctx)
	defer d.End()
	ctx = d
	s.catchUp()
	if s.headerSent {
		return ErrHeaderSent
	}
	switch {
	case s.state == stateNew:
		s.id, s.key = "", "" // no client has it yet
		return nil
	case s.state != stateStored || s.follows != "":
		return ErrRevoked
	}
	if s.alias != "" {
		return nil // found through an old id: renewed a moment ago
	}
	err := s.move(ctx, "")
	if err != nil {
		s.reportSave(ctx, err)
	}
	return err
}

// MaxRenewRepair is how long after [Session.Renew] the old id still leads to the session if
// no request has come with the new one, because the client did not get it.
const MaxRenewRepair = 24 * time.Hour
