package session

import "context"

// Login begins the session of a user who has just shown who it is: call it once the
// password, or whatever it was, is checked, and before anything of the user is put in.
// owner is a name of the application's own choice for the user, such as "user:42", under
// which [Manager.List] and [Manager.RevokeOwner] find the session; it is UTF-8 text.
//
// The session gets a new id, the owner, and the time of the login
// ([Session.AuthenticatedAt]); the absolute timeout counts from now. What an anonymous
// visitor has gathered stays (a cart), and what the owner himself had. If the session was
// another owner's, its data are dropped, and only what this request has changed is kept.
//
// The old id reads nothing of the session from then on, so that one which somebody has
// planted is worth nothing (session fixation, CVE-2022-25896; ASVS 7.2.4). Of requests
// that are in flight under it, and began before, the recorded updates are made in the
// new session, if they began as the same visitor; they see nothing of it. One that comes
// later, within Config.RenewGrace, sees a new and empty session, of which nothing is
// stored and for which no cookie is sent, unless it logs in itself. Streams that wait on
// [Session.NotifyContext] end with [ErrLoggedIn], and come back with the new cookie.
//
// Take [Session.Renew] to give the same user's session a new id from time to time, and
// [Session.Regenerate] to begin without anything that was there before.
//
// Errors: [ErrNoOwner], [ErrHeaderSent], [ErrInsecure], [ErrRevoked] after Discard, those
// of [Session.Save]. After an error the session is as it was.
func (s *Session[T]) Login(ctx context.Context, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.asked(ctx)
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
		s.unview()
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
