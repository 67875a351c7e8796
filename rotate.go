package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/records"
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
// methods say how the user has proved who it is, in words of the application's choice:
// "password", "totp", or a level such as "aal2". [Session.AuthenticatedBy] returns them.
// They replace those of an earlier login. Package stepup demands a recent login, or a
// method, for a route; the user then logs in again, in the same session.
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
// With Config.MaxPerOwner, Login stores the session at once and keeps that limit.
//
// Errors: [ErrNoOwner]; [ErrHeaderSent]; [ErrInsecure]; [ErrRevoked] after Discard;
// [ErrTooManySessions] with Config.MaxPerOwner; one for an owner that is not UTF-8, and for a
// method that is not a word; the errors of [Session.Save]. After an error the session is as it
// was.
func (s *Session[T]) Login(ctx context.Context, owner string, methods ...string) error {
	d := s.enter(ctx)
	defer s.leave(d)
	err := s.login(d, owner, methods)
	if errors.Is(err, ErrTooManySessions) {
		s.m.emit(d, Event{Kind: EventLoginRefused, Owner: owner, Reason: ReasonLimit}, s.key)
	} else if err != nil {
		s.reportSave(d, err)
	}
	return err
}

func (s *Session[T]) login(ctx context.Context, owner string, methods []string) error {
	limited := s.m.records.Limit.Sessions > 0
	switch err := records.CheckLogin(owner, methods); {
	case err != nil:
		return err
	case s.headerSent:
		return ErrHeaderSent
	case s.state == stateDiscarded:
		return ErrRevoked
	case s.settings.Secure == SecureAlways && !s.secure:
		return ErrInsecure
	case s.state == stateStored && (s.follows == nil || limited):
		return s.move(ctx, owner, strings.Join(methods, " "))
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
	if limited {
		return s.move(ctx, owner, strings.Join(methods, " ")) // what is not stored cannot be counted
	}
	s.id, s.key, s.alias, s.follows, s.superseded = "", "", "", nil, false
	if s.changing(); !s.ownerMoved {
		s.ownerBefore = s.owner
	}
	now := s.m.present()
	s.owner, s.ownerMoved, s.created, s.authenticated, s.methods = owner, true, now, now, strings.Join(methods, " ")
	s.expires = s.expiry(now)
	s.loggedIn, s.tellGuard = true, true // it is stored with what is put in
	return nil
}

// move stores the session under a new id. login is the owner of the new session, and
// methods are how it logged in; "" stands for Renew.
func (s *Session[T]) move(ctx context.Context, login, methods string) error {
	if s.settings.Secure == SecureAlways && !s.secure {
		return ErrInsecure
	}
	mv := records.Move{Owner: login, Methods: methods, Login: login != "", Carry: login != "", Alone: s.state == stateNew || s.follows != nil}
	if err := s.newID(&mv); err != nil {
		return err
	}
	before, doc, version := s.identity, s.doc, s.version
	restore := func(err error) error {
		s.identity, s.doc, s.version = before, doc, version
		s.recorded.Unview()
		return err
	}
	for try := 0; ; try++ {
		err := s.moveOnce(ctx, &mv)
		if err == nil {
			return nil
		}
		if err := s.m.records.Retries(ctx, &mv, try, err); err != nil {
			return restore(err)
		}
		if mv.Alone {
			continue
		}
		switch err := s.reloadIfMoved(ctx); {
		case err == nil:
			s.m.emit(ctx, Event{Kind: EventConflict, Owner: s.owner}, s.key)
			if !mv.Login && s.alias != "" {
				s.m.records.Undo(ctx, &mv)
				return nil // another request has renewed it, which is enough
			}
		case !records.IsOver(err):
			s.m.records.Undo(ctx, &mv)
			return restore(err)
		case !mv.Login:
			err := s.revoked(ctx)
			s.m.records.Undo(ctx, &mv)
			return err
		default:
			// Another request has logged out or in. This one still logs in. It keeps the
			// visitor's data if the other login has kept them.
			if records.CarriesOn(err) == nil {
				s.dropData()
			}
			mv.Alone = true
		}
	}
}

// newID gives a move another id.
func (s *Session[T]) newID(mv *records.Move) (err error) {
	if mv.ID, err = s.m.ids.Make(s.r); err == nil {
		mv.Key = s.m.ids.Key(mv.ID)
	}
	return err
}

// moveOnce makes one attempt of move.
func (s *Session[T]) moveOnce(ctx context.Context, mv *records.Move) error {
	if mv.Key == "" {
		if err := s.newID(mv); err != nil {
			return err
		}
	}
	s.now, s.late, s.keepExpiry, s.extend, s.renewing = s.m.present(), false, false, true, !mv.Login
	if mv.Login {
		if s.storedOwner != "" && s.storedOwner != mv.Owner {
			mv.Carry = false
			s.dropData()
		}
		mv.OldKey = s.key
		at, err := s.m.records.LoginTime(ctx, mv, s.now)
		if err != nil {
			return err
		}
		s.owner, s.ownerMoved, s.created, s.authenticated, s.methods = mv.Owner, false, s.now, at, mv.Methods
	}
	value, body, err := s.replay()
	if err != nil {
		return err
	}
	doc, rec, err := s.compose(mv.Key, mv.ID, value, body)
	if err == nil {
		mv.Sealed, err = s.m.codec.Pass(s.doc, doc)
	}
	if err != nil {
		return err
	}
	mv.Owner, mv.Now, mv.Ends = s.owner, s.now, s.expiry(s.now)
	mv.OldID, mv.OldKey, mv.OldVersion = s.id, s.key, s.version
	mv.Unseen, mv.Seen = s.sight()
	mv.Cookie = appendCookie(nil, s.settings, s.lifetime, s.m.records.Until(mv))
	if err := s.m.records.Move(ctx, mv, rec); err != nil {
		return err
	}
	s.moved(ctx, mv, doc, rec.Expires)
	return nil
}

// moved updates s after the move was stored.
func (s *Session[T]) moved(ctx context.Context, mv *records.Move, doc *document.Document[T], expires time.Time) {
	old := s.key
	if s.state == stateNew {
		s.m.emit(ctx, Event{Kind: EventCreated, Owner: s.owner}, mv.Key)
	}
	s.keep(doc, mv.Version, expires)
	s.m.dropCached(old)
	s.setID(mv.ID)
	e := Event{Kind: EventRenewed, Owner: s.owner}
	if old != "" {
		e.Former = s.m.ids.Digest(old)
	}
	if !mv.Login {
		s.m.records.Hub.Move(old, s.key)
	} else {
		e.Kind, s.superseded, s.follows, s.tellGuard = EventLoggedIn, false, nil, true
		s.m.records.Hub.End(old, ErrLoggedIn)
		if !mv.Carry && !mv.Alone {
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
	d := s.enter(ctx)
	defer s.leave(d)
	ctx = d
	if s.headerSent {
		return ErrHeaderSent
	}
	switch {
	case s.state == stateNew:
		s.id, s.key = "", "" // no client has it yet
		return nil
	case s.state != stateStored || s.follows != nil:
		return ErrRevoked
	}
	if s.alias != "" {
		return nil // found through an old id: renewed a moment ago
	}
	err := s.move(ctx, "", "")
	if err != nil {
		s.reportSave(ctx, err)
	}
	return err
}
