package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/devices"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/records"
	"github.com/nestsession/session/store"
)

// Save writes the session now, even if it is unchanged. The end of the request then writes
// only later changes. Use it in long-lived requests and WebSockets, and where other work
// must wait for the save. If another request saved first, Save loads the session again,
// runs the recorded updates on it and retries, until ctx ends. Afterwards Data returns what
// was saved, with the changes of other requests.
//
// Errors: [ErrRevoked]; [ErrUnrepeatable]; [ErrReservedKey]; [ErrTooLarge]; [ErrHeaderSent]
// and [ErrInsecure] for a new session; the store's and ctx's.
func (s *Session[T]) Save(ctx context.Context) error {
	d := s.enter(ctx)
	defer s.leave(d)
	ctx = d
	if err := s.save(ctx); err != nil {
		s.reportSave(ctx, err)
		return err
	}
	s.saved = s.doc
	return nil
}

func (s *Session[T]) save(ctx context.Context) error {
	s.now, s.late, s.keepExpiry, s.extend = s.m.present(), false, !s.m.policy.saveIsUse(), false
	switch s.state {
	case stateNew:
		if s.superseded {
			if s.pending() {
				s.m.emit(ctx, Event{Kind: EventDropped, Reason: ReasonSuperseded}, "")
			}
			s.forget()
			return ErrRevoked
		}
		value, body, err := s.replay()
		if err != nil {
			return err
		}
		return s.create(ctx, value, body)
	case stateStored:
		if s.follows != nil {
			return s.saveFollower(ctx)
		}
		value, body, err := s.replay()
		if err != nil {
			return err
		}
		return s.swap(ctx, value, body)
	}
	return ErrRevoked
}

// reportSave reports a save that failed. If it failed because the session has ended, that
// is reported where it is detected. If the client disconnected, the event says so.
func (s *Session[T]) reportSave(ctx context.Context, err error) {
	if errors.Is(err, ErrRevoked) {
		return
	}
	e := Event{Kind: EventSaveFailed, Owner: s.owner, Err: err}
	if d, ok := ctx.(*deadline.Context); ok && d.Follows && d.Parent.Err() != nil {
		e.Reason = ReasonClientLeft
	}
	s.m.emit(ctx, e, s.key)
}

// compose makes the session's next document, to be stored under key, and the record for it.
// id is the one that belongs to key, "" if this request does not know it.
func (s *Session[T]) compose(key, id string, value *T, body []byte) (*document.Document[T], store.Record, error) {
	info := document.Meta{Owner: s.owner, OwnCookie: s.ownCookie && !s.m.keepCookie, Authenticated: s.authenticated, Methods: s.methods, Notes: s.noted.On(s.doc.Meta.Notes, s.version != 0 && (key == s.key || s.renewing))}
	info.Device = s.m.devices.Next(s.doc.Meta.Device, s.visit())
	if s.m.records.Absolute > 0 || s.owner != "" || info.Device != nil {
		info.Created, info.Used = s.created, s.now
	}
	as := s.doc.Opener(id)
	if s.state == stateNew || key != s.key && !s.renewing {
		as = as.WithNewKey() // what opened the session before does not open this one
	}
	if info.Unseen, info.Seen = s.sight(); key != s.key {
		info.Unseen, info.Seen = s.renewing && s.m.records.Grace > 0, 0
	}
	if err := records.CheckOwner(s.owner); err != nil {
		return nil, store.Record{}, err
	}
	if s.ownerMoved && s.owner != "" && s.m.records.Limit.Sessions > 0 {
		return nil, store.Record{}, errOwnerWithoutLogin
	}
	if s.ownCookie && s.lifetime.Set && s.lifetime.MS <= 0 && s.m.policy.refusesEndedLifetimes() {
		return nil, store.Record{}, errors.New("session: the lifetime given to SetMaxAge or SetCookie has already ended; give a positive one, or call Destroy to end the session")
	}
	expires, ends := s.ends()
	if s.unchecked() {
		attributes := s.settings.attributes(ends)
		if err := attributes.Validate(); err != nil {
			return nil, store.Record{}, fmt.Errorf("session: the session's cookie cannot be written: %w", err)
		}
	}
	var space [256]byte
	doc, err := s.m.codec.Compose(s.doc, key, value, body, appendCookie(space[:0], s.settings, s.lifetime, ends), s.settings, s.lifetime, info, as)
	if err != nil {
		return nil, store.Record{}, err
	}
	doc.CookieEnds = ends
	if err := s.m.records.Fits(doc.Data, info.Device); err != nil {
		return nil, store.Record{}, err
	}
	return doc, store.Record{ID: key, Owner: s.owner, Data: doc.Data, Expires: expires.Time(), Version: s.version}, nil
}

// visit describes this request to [devices.Observer].
func (s *Session[T]) visit() devices.Visit {
	return devices.Visit{Request: s.r, Owner: s.owner, StoredOwner: s.storedOwner, Late: s.late, Name: s.named}
}

// sight returns what the document records about whether a client has come with the id that
// Renew made. It is no longer recorded once the grace is over.
func (s *Session[T]) sight() (unseen bool, seen document.Instant) {
	unseen, seen = s.doc.Meta.Unseen, s.doc.Meta.Seen
	if unseen && s.came() {
		return false, s.now
	}
	if s.m.records.Forgotten(seen, s.now) {
		seen = 0
	}
	return unseen, seen
}

// ends returns the expiry of the record and of the cookie in the write at hand.
func (s *Session[T]) ends() (record, cookie document.Instant) {
	if !s.keepExpiry {
		if record = s.recordExpiry(s.now); s.state == stateStored && !s.extend && s.lifetime.Set && s.m.policy.cookieNeedsWrite() {
			return record, s.doc.CookieEnds // the cookie stays as it is in the browser
		}
		return record, s.cookieExpiry(s.now)
	}
	if s.lifetime.Set {
		cookie = s.expires
	}
	return s.expires, cookie
}

// unchecked reports whether the session's cookie may differ from the one that New has
// checked.
func (s *Session[T]) unchecked() bool {
	return s.ownCookie || s.m.keepCookie || s.m.cookieFunc != nil
}

// maxIDs limits how many ids are tried: a generator that repeats ids is broken.
const maxIDs = 4

// create stores a session that is not in the store.
func (s *Session[T]) create(ctx context.Context, value *T, body []byte) error {
	if s.headerSent && !s.cookieSent {
		return ErrHeaderSent
	}
	if s.settings.Secure == SecureAlways && !s.secure {
		return ErrInsecure
	}
	for range maxIDs {
		if err := s.needID(); err != nil {
			return err
		}
		doc, rec, err := s.compose(s.key, s.id, value, body)
		if err != nil {
			return err
		}
		version, err := s.m.records.Store.Create(ctx, rec)
		if errors.Is(err, store.ErrExists) && !s.cookieSent {
			s.id = "" // the generator repeated an id: never adopt another client's session
			continue
		}
		if err != nil {
			return records.Failed("creating", err)
		}
		s.keep(doc, version, rec.Expires)
		s.m.emit(ctx, Event{Kind: EventCreated, Owner: s.owner}, s.key)
		if s.loggedIn {
			s.loggedIn = false
			s.m.emit(ctx, Event{Kind: EventLoggedIn, Owner: s.owner}, s.key)
		}
		return nil
	}
	return errors.New("session: Config.GenID returned only ids that are already in use; ids must be unique")
}

// swap replaces the stored record by its next version. value and body are the result of the
// first replay.
func (s *Session[T]) swap(ctx context.Context, value *T, body []byte) error {
	for try := 0; ; try++ {
		doc, rec, err := s.compose(s.key, s.id, value, body)
		var version store.Version
		if err == nil {
			version, err = s.m.records.Swap(ctx, rec, try)
		}
		switch err {
		case nil:
			s.keep(doc, version, rec.Expires)
			return nil
		case ErrRevoked:
			return s.revoked(ctx)
		case records.ErrAgain, document.ErrMoved:
		default:
			return err
		}
		err = s.reload(ctx)
		if next := records.CarriesOn(err); next != nil {
			if s.taking {
				return s.revoked(ctx)
			}
			return s.follow(ctx, next.Successor, next.With)
		}
		if err != nil {
			return err
		}
		s.m.emit(ctx, Event{Kind: EventConflict, Owner: s.owner}, s.key)
		s.late, s.now = s.late || s.used > s.now, max(s.now, s.used)
		if value, body, err = s.replay(); err != nil {
			return err
		}
		if s.enough != nil && s.enough() {
			return nil
		}
	}
}

// keep updates s after doc was stored.
func (s *Session[T]) keep(doc *document.Document[T], version store.Version, expires time.Time) {
	s.m.codec.Keep(doc, uint64(version))
	s.forget()
	s.state, s.doc, s.version = stateStored, doc, version
	s.deadline = document.InstantOf(expires)
	s.expires = s.within(s.deadline)
	s.settingsChanged, s.ownerMoved, s.touched = false, false, false
	s.storedOwner = s.owner
}

// revoked updates s after the session was found to have ended elsewhere.
func (s *Session[T]) revoked(ctx context.Context) error {
	if s.touched = false; s.pending() {
		s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonEnded}, s.key)
	}
	s.finish()
	return ErrRevoked
}

func (s *Session[T]) finish() {
	s.m.dropCached(s.key)
	s.state = stateEnded
	s.id = ""
	s.forget()
}

// modified reports whether body differs from the data at the beginning of the request.
func (s *Session[T]) modified(body []byte) (bool, error) { return s.differs(body, s.origin) }

// differs reports whether body differs from the data of an earlier document. A nil body
// stands for the data of the current document.
func (s *Session[T]) differs(body []byte, since *document.Document[T]) (bool, error) {
	if body == nil && s.doc == since {
		return false, nil
	}
	if body == nil {
		var err error
		if body, err = s.m.codec.Encoding(s.doc); err != nil {
			return false, err
		}
	}
	same, err := s.m.codec.Encodes(since, body)
	return !same, err
}

// saveFollower saves the changes since the session was found to be superseded.
func (s *Session[T]) saveFollower(ctx context.Context) error {
	if !s.recorded.Any() && s.noted == nil {
		return nil
	}
	return s.follow(ctx, s.follows.key, s.follows.with)
}

// follow applies this request's changes to the session with which a login has replaced this
// one. For example, a cart that the visitor was filling still belongs to the user after the
// login. The request does not see that session, because others may know the id with which
// the request came.
func (s *Session[T]) follow(ctx context.Context, key string, with document.Opener) error {
	if s.settingsChanged || s.relabeled() {
		s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonSuperseded}, s.key)
		s.ownerMoved, s.settingsChanged, s.named, s.noted = false, false, nil, nil
	}
	found, key, with, err := s.m.records.LoadCarried(ctx, key, with)
	if records.IsOver(err) || errors.Is(err, ErrSealed) {
		return s.revoked(ctx)
	}
	if err != nil {
		return records.Failed("loading", err)
	}
	t := &Session[T]{m: s.m} // without s.r, which is no visit of that session's client
	t.secure, t.now = s.secure, s.m.present()
	t.recorded.Copy(&s.recorded, &s.mu)
	t.useCookie(s.m.settings(s.r))
	t.adopt(typed[T](found))
	value, body, err := t.replay()
	if err == nil {
		err = s.mu.Misuse
	}
	if err == nil {
		err = t.swap(ctx, value, body)
	}
	if errors.Is(err, ErrRevoked) { // reported there
		s.finish()
	}
	if err == nil {
		s.follows, s.touched = &following{key, with}, false
		s.recorded.ForgetUpdates()
	}
	return err
}
