package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/internal/jitter"
	"github.com/nestsession/session/store"
)

const (
	// maxConflicts bounds how often a save is tried again. Each conflict means that
	// another save succeeded, so that it takes a crowd to get there.
	maxConflicts = 1000
	// maxBackoff is the longest wait between two tries.
	maxBackoff = 8 * time.Millisecond
	// maxIDs bounds how many ids are tried: a generator that repeats itself is broken.
	maxIDs = 4
)

// Save writes the session now, changed or not, and in place of at the end of the
// request: for long-lived requests, WebSockets, and where other work must wait for
// it. On a conflict with another request's save it loads, replays and tries again,
// until ctx ends. Afterwards Data shows what was saved, other requests' changes
// included.
//
// Errors: [ErrRevoked], [ErrUnrepeatable], [ErrReservedKey], [ErrTooLarge],
// [ErrHeaderSent] and [ErrInsecure] for a new session, the store's, ctx's.
func (s *Session[T]) Save(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.asked(ctx)
	defer d.end()
	ctx = d
	s.catchUp()
	if err := s.save(ctx); err != nil {
		s.reportSave(ctx, err)
		return err
	}
	s.saved = s.doc
	return nil
}

func (s *Session[T]) save(ctx context.Context) error {
	s.now, s.keepExpiry = s.m.present(), s.m.express
	switch s.state {
	case stateNew:
		value, body, err := s.replay()
		if err != nil {
			return err
		}
		return s.create(ctx, value, body)
	case stateStored:
		value, body, err := s.replay()
		if err != nil {
			return err
		}
		return s.swap(ctx, value, body)
	}
	return ErrRevoked
}

// reportSave tells of a save that failed for another reason than that the session
// has ended, which is told where it is found out.
func (s *Session[T]) reportSave(ctx context.Context, err error) {
	if !errors.Is(err, ErrRevoked) {
		s.m.emit(ctx, Event{Kind: EventSaveFailed, Owner: s.owner, Err: err}, s.key)
	}
}

// replay runs the recorded functions on a fresh copy of the last known data. Where
// the view was made from the same version it must come out the same: a function
// for which it does not would lose data at the first conflict.
func (s *Session[T]) replay() (value *T, body []byte, err error) {
	c := &s.m.codec
	if s.mu.misuse != nil {
		return nil, nil, s.mu.misuse
	}
	if len(s.updates) == 0 {
		if body, err = c.bodyOf(s.doc); err != nil {
			return nil, nil, err
		}
		if s.viewed && c.shares() && !c.same(&s.doc.value, &s.view) {
			return nil, nil, ErrUnrepeatable
		}
		return &s.doc.value, body, nil
	}
	value = new(T)
	if err := c.copyOf(s.doc, value); err != nil {
		return nil, nil, err
	}
	// The view has parts of its own already. If nobody else has them, and they turn out
	// the same, they serve.
	private := s.viewed && !s.shown && c.copier.safe && !c.copier.dynamic
	for i, fn := range s.updates {
		s.apply(fn, value)
		if !private || i < len(s.updates)-1 {
			c.detach(value) // from what fn put in, which the next one may change
		}
	}
	if s.mu.misuse != nil {
		return nil, nil, s.mu.misuse
	}
	// First, since what cannot be encoded cannot be compared either: a function, NaN.
	if body, err = c.encode(value); err != nil {
		return nil, nil, err
	}
	if s.viewed && !c.same(value, &s.view) {
		if !private {
			return nil, nil, ErrUnrepeatable
		}
		// Perhaps what fn put in only has another form than the view's.
		if c.detach(value); !c.same(value, &s.view) {
			return nil, nil, ErrUnrepeatable
		}
	}
	if private {
		value = &s.view
	}
	return value, body, nil
}

// compose makes the next document of the session, and the record around it.
func (s *Session[T]) compose(value *T, body []byte) (*document[T], store.Record, error) {
	info := meta{Owner: s.owner, OwnCookie: s.ownCookie && !s.m.keepCookie}
	if s.m.absolute > 0 || s.owner != "" {
		info.Created, info.Used = s.created, s.now
	}
	expires, ends := s.ends()
	if s.unchecked() {
		attributes := s.settings.attributes(ends)
		if err := attributes.Validate(); err != nil {
			return nil, store.Record{}, fmt.Errorf("session: the session's cookie cannot be written: %w", err)
		}
	}
	doc, err := s.m.codec.compose(s.doc, value, body, s.settings, s.lifetime, ends, info)
	if err != nil {
		return nil, store.Record{}, err
	}
	if len(doc.data) > s.m.maxBytes {
		return nil, store.Record{}, fmt.Errorf("%w: %d bytes of %d", ErrTooLarge, len(doc.data), s.m.maxBytes)
	}
	doc.key = s.key
	return doc, store.Record{ID: s.key, Owner: s.owner, Data: doc.data, Expires: expires.time(), Version: s.version}, nil
}

// ends is until when what is written now holds: the record and the cookie.
func (s *Session[T]) ends() (record, cookie instant) {
	if !s.keepExpiry {
		return s.expiry(s.now), s.lifetime.from(s.now)
	}
	if s.lifetime.set {
		cookie = s.expires
	}
	return s.expires, cookie
}

// unchecked reports whether the session's cookie may be another than New has checked.
func (s *Session[T]) unchecked() bool {
	return s.ownCookie || s.m.keepCookie || s.m.cookieFunc != nil
}

// create stores a session that no store has.
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
		doc, rec, err := s.compose(value, body)
		if err != nil {
			return err
		}
		version, err := s.m.store.Create(ctx, rec)
		if errors.Is(err, store.ErrExists) && !s.cookieSent {
			s.id = "" // the generator repeated itself: never adopt somebody else's session
			continue
		}
		if err != nil {
			return &storeError{fmt.Errorf("creating: %w", err)}
		}
		s.keep(doc, version, rec.Expires)
		s.m.emit(ctx, Event{Kind: EventCreated, Owner: s.owner}, s.key)
		return nil
	}
	return errors.New("session: Config.GenID returned ids that are in use; it must return unique ones")
}

// swap replaces the stored record by its next version. value and body are the
// outcome of the first replay.
func (s *Session[T]) swap(ctx context.Context, value *T, body []byte) error {
	for try := 0; ; try++ {
		doc, rec, err := s.compose(value, body)
		if err != nil {
			return err
		}
		version, err := s.m.store.Update(ctx, rec)
		switch {
		case err == nil:
			s.keep(doc, version, rec.Expires)
			return nil
		case errors.Is(err, store.ErrNotFound):
			return s.revoked(ctx)
		case !errors.Is(err, store.ErrConflict), try == maxConflicts:
			return &storeError{fmt.Errorf("saving: %w", err)}
		}
		s.m.emit(ctx, Event{Kind: EventConflict, Owner: s.owner}, s.key)
		if err := backoff(ctx, try); err != nil {
			return &storeError{fmt.Errorf("saving: %w", err)}
		}
		if err := s.reload(ctx); err != nil {
			return err
		}
		if value, body, err = s.replay(); err != nil {
			return err
		}
	}
}

// reload looks at the store again. The functions recorded stay; the view goes.
func (s *Session[T]) reload(ctx context.Context) error {
	key := s.key
	at, err := s.m.load(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return s.revoked(ctx)
	}
	if err != nil {
		return &storeError{fmt.Errorf("loading: %w", err)}
	}
	if at.key != key {
		s.alias = key
	}
	var none T
	s.view, s.viewed = none, false
	s.adopt(at)
	return nil
}

// backoff waits before another try: at first hardly, then longer and at random, so
// that those who collided do not meet again.
func backoff(ctx context.Context, try int) error {
	if try < 2 {
		return ctx.Err()
	}
	limit := min(time.Duration(try)*100*time.Microsecond, maxBackoff)
	if !jitter.Pause(ctx, jitter.Below(limit)) {
		return ctx.Err()
	}
	return nil
}

// keep takes over what was written.
func (s *Session[T]) keep(doc *document[T], version store.Version, expires time.Time) {
	s.m.codec.cache.put(doc)
	s.forget()
	s.state, s.doc, s.version = stateStored, doc, version
	s.deadline = instantOf(expires)
	s.expires = s.deadline
	s.settingsChanged, s.ownerMoved, s.touched = false, false, false
}

// revoked takes note that the session has ended elsewhere.
func (s *Session[T]) revoked(ctx context.Context) error {
	if s.touched = false; s.pending() {
		s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonEnded}, s.key)
	}
	s.finish()
	return ErrRevoked
}

func (s *Session[T]) finish() {
	s.state = stateEnded
	s.id = ""
	s.forget()
}

// modified reports whether body is other than what the session began with.
func (s *Session[T]) modified(body []byte) (bool, error) {
	began, err := s.m.codec.bodyOf(s.origin)
	return !bytes.Equal(body, began), err
}
