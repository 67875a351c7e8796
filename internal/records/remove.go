package records

import (
	"context"
	"errors"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// Remove ends the session whose record is under key, and the session to which it was
// renewed. It reports whether this call ended it: of several concurrent calls, exactly one
// returns true. With an empty key it does nothing.
//
// A delete is not enough. Between a load and the delete, another request can renew the
// session: the delete then removes the pointer, and the session lives on under its new id.
// So Remove swaps the record for a tombstone. If the swap fails, there is a newer version,
// and Remove looks at that. If it succeeds, no renewal can. The tombstone stays for the
// grace. Requests that the browser sent before it knew of the end find the tombstone, and
// do not touch the cookie, which may be a newer one by then.
//
// If a login has replaced this session, Remove does not end the new session: a client that
// has only the old id has no rights to the new session.
//
// cause is the error for those on this node who wait for the end.
func (r *Records) Remove(ctx context.Context, key string, version store.Version, cause error) (ended bool, err error) {
	if key == "" {
		return false, nil
	}
	r.ending.Store(key, cause)
	defer r.ending.Delete(key)
	ended, err = r.removeRecord(ctx, key, version, cause)
	if err == nil {
		r.Hub.End(key, cause)
		r.Forget(key)
	}
	return ended, err
}

func (r *Records) removeRecord(ctx context.Context, key string, version store.Version, cause error) (bool, error) {
	for try := 0; ; try++ {
		if version != 0 {
			_, err := r.Store.Update(ctx, r.tombstoneOf(key, version))
			if err == nil {
				return true, r.clear(ctx, key, cause)
			}
			if err = r.retries(ctx, key, try, err); err == ErrRevoked {
				return false, r.clear(ctx, key, cause)
			}
			if err != nil {
				return false, err
			}
		}
		rec, err := r.record(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		switch info := r.IDs.Seal.MetaOf(rec.ID, rec.Data); {
		case info.Ended:
			return false, r.clear(ctx, rec.ID, cause) // an earlier try may have failed to do this
		case info.Login:
			return false, nil
		case info.Successor != "":
			ended, err := r.Remove(ctx, info.Successor, 0, cause)
			if err != nil {
				return ended, err
			}
			// Only this code swaps a pointer again, so the first swap is the one that counts.
			_, err = r.Store.Update(ctx, r.tombstoneOf(rec.ID, rec.Version))
			if err != nil && !Definite(err) {
				return ended, err
			}
			return ended, r.clear(ctx, rec.ID, cause)
		}
		version = rec.Version
	}
}

// clear deletes a tombstone at once if no request must find it: express-session would take
// it for a session, and after an expiry no request needs one.
func (r *Records) clear(ctx context.Context, key string, cause error) error {
	if !r.Tombstones || r.Grace <= 0 || errors.Is(cause, ErrExpired) {
		return r.Store.Delete(ctx, key)
	}
	return nil
}

// tombstoneOf returns the record that replaces the record of a session that has ended.
func (r *Records) tombstoneOf(key string, version store.Version) store.Record {
	return store.Record{ID: key, Data: document.Tombstone, Expires: (r.Present() + r.graceEnd(0)).Time(), Version: version}
}
