package records

import (
	"context"
	"errors"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// Found is a decoded record, the key under which it was found, and the session's id. The id
// is "" if the caller cannot know it.
type Found struct {
	Rec store.Record
	Doc document.Stored
	Key string
	ID  string
}

// Load reads the record under key, or the one that it was renewed to. with has the session's
// id where the caller knows it, and opens the data if they are sealed.
//
// Errors besides the store's: [Undecodable]; [Superseded]; [ErrAbsolute] with the record.
func (r *Records) Load(ctx context.Context, key string, with document.Opener) (Found, error) {
	for hop := range maxHops {
		place := r.Codec.Look(key)
		since, _ := r.Store.(store.SinceLoader)
		if since == nil {
			place.Version = 0 // then only the text says that it is the same
		}
		rec, err := r.recordSince(ctx, key, since, place.Version)
		if err != nil {
			r.Forget(key)
			return Found{}, r.expired(rec, err)
		}
		doc, err := r.Codec.DecodeAt(place, rec.ID, rec.Data, uint64(rec.Version), with)
		if err != nil {
			return Found{}, &Undecodable{err}
		}
		info := doc.Bookkeeping()
		if info.Ended || info.Login {
			r.Forget(key) // the cookie, which was just verified
			return Found{}, &Superseded{info.Successor, info.Carry, r.past(info, rec.Expires), with.Follow(info)}
		}
		if hop > 0 && !r.answers(info, 0) {
			return Found{}, &Superseded{Past: !r.answers(info, linger)}
		}
		switch {
		case info.Successor == "":
			found := Found{rec, doc, key, with.ID}
			if r.over(info.Created) {
				return found, ErrAbsolute
			}
			if err := doc.Locked(); err != nil {
				return Found{}, &Undecodable{err}
			}
			return found, nil
		case r.Present() >= info.Until:
			return Found{}, &Superseded{Past: true}
		}
		key, with.ID = info.Successor, r.IDs.Successor(with.ID, info)
	}
	return Found{}, store.ErrNotFound
}

// LoadCarried is Load for a request that began before a login: it finds the session that has
// the data now. at is the key from which Load found it, and opener opens the data there.
func (r *Records) LoadCarried(ctx context.Context, key string, with document.Opener) (found Found, at string, opener document.Opener, err error) {
	for range maxHops {
		found, err = r.Load(ctx, key, with)
		next := CarriesOn(err)
		if next == nil {
			return found, key, with, err
		}
		key, with = next.Successor, next.With // logged in once more
	}
	return Found{}, key, with, store.ErrNotFound
}

// record reads the record under key, or the link with which Login and Renew have replaced it
// (see [Records.supersede]).
func (r *Records) record(ctx context.Context, key string) (store.Record, error) {
	return r.recordSince(ctx, key, nil, 0)
}

// recordSince is record for a caller that has the document of a version: where since is a
// store, the data are nil if that is the record's version.
func (r *Records) recordSince(ctx context.Context, key string, since store.SinceLoader, have uint64) (rec store.Record, err error) {
	if since != nil {
		rec, err = since.LoadSince(ctx, key, store.Version(have))
	} else {
		rec, err = r.Store.Load(ctx, key)
	}
	if errors.Is(err, store.ErrNotFound) {
		if link, failed := r.link(ctx, key); !errors.Is(failed, store.ErrNotFound) {
			return link, failed
		}
	}
	if err == nil && rec.ID != key {
		err = errOtherRecord
	}
	return rec, err
}

// link reads the link that replaces the record under key. The store has just reported that
// the record does not exist. Where sessions leave tombstones there are no links.
func (r *Records) link(ctx context.Context, key string) (store.Record, error) {
	if r.Tombstones {
		return store.Record{}, store.ErrNotFound
	}
	key = linkKey(key)
	rec, err := r.Store.Load(ctx, key)
	if err == nil && rec.ID != key {
		err = errOtherRecord
	}
	return rec, err
}

// linkKey returns the key of the record that leads from the old id of a session to its new
// one, where sessions leave no tombstones.
func linkKey(key string) string { return "nestsession:link:" + document.Hashed([]byte(key)) }

// IsGone reports whether no link replaces the record under key. The store has just reported
// that the record does not exist.
func (r *Records) IsGone(ctx context.Context, key string) bool {
	_, err := r.link(ctx, key)
	return errors.Is(err, store.ErrNotFound)
}

// expired converts the error of a load. A tombstone or a pointer that has expired is not
// reported as a session that has expired.
func (r *Records) expired(rec store.Record, err error) error {
	if errors.Is(err, store.ErrExpired) && rec.ID != "" {
		if info := r.IDs.Seal.MetaOf(rec.ID, rec.Data); info.Ended || info.Successor != "" {
			return store.ErrNotFound
		}
	}
	return err
}

// Swap replaces a record by its next version, in the try with this number, from 0.
//
// Errors: [ErrAgain], after a wait that grows with the tries; [ErrRevoked]; a [Failure].
func (r *Records) Swap(ctx context.Context, next store.Record, try int) (store.Version, error) {
	version, err := r.Store.Update(ctx, next)
	if err == nil {
		return version, nil
	}
	switch err = r.retries(ctx, next.ID, try, err); err {
	case nil:
		return 0, ErrAgain
	case ErrRevoked:
		return 0, err
	}
	return 0, Failed("saving", err)
}

// retries returns nil if a swap that has failed is worth another try on the version that is
// stored now, and waits before that. It returns [ErrRevoked] if there is no version.
func (r *Records) retries(ctx context.Context, key string, try int, err error) error {
	conflict := errors.Is(err, store.ErrConflict)
	switch {
	case !conflict && !errors.Is(err, store.ErrNotFound), try == maxConflicts:
		return err
	case conflict:
		return pauseBeforeRetry(ctx, try)
	case r.IsGone(ctx, key):
		return ErrRevoked
	}
	return nil // Login and Renew have deleted the record and stored a link
}
