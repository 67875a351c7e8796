package records

import (
	"context"
	"errors"
	"time"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// maxPoints limits how often a renewal with an unknown outcome is retried.
const maxPoints = 5

// Move is a session that is getting a new id. It is stored under a new key, and then the
// old record is swapped for a pointer to that. With this order a crash loses no session. A
// request that saves to the old record in the meantime makes the swap fail, so no change is
// lost.
type Move struct {
	ID      string        // the new one
	Key     string        // of its record; "" once that was lost, and another id is needed
	Version store.Version // of its record, once it is stored
	Owner   string        // of the new session
	Methods string        // of the login
	Login   bool          // by Login, not by Renew
	Carry   bool          // the session of a login has the data of the old one
	Alone   bool          // the old session has ended: there is nothing to swap

	OldID      string
	OldKey     string
	OldVersion store.Version // of the record under the old key, as it was loaded last

	Time   document.Instant // of a login, with a Limit; see [Records.LoginTime]
	listed []string         // the keys of the owner's sessions at that time
	latest document.Instant // of the times of all that were listed
	within bool             // the limit has admitted the login

	waiting map[string]time.Time // since when the login waits for each reservation of others

	Now    document.Instant
	Ends   document.Instant // when the session ends; zero: never
	Unseen bool             // what the old record says: no request has come with OldID yet
	Seen   document.Instant // when one did
	Sealed string           // what Pass returns for the two documents, if the data are sealed
	Cookie []byte           // of the pointer, which counts until [Records.Until]
}

// Until returns until when the old id leads to the new one, at most.
func (r *Records) Until(mv *Move) document.Instant {
	if mv.Login || r.Grace <= 0 {
		return mv.Now + r.graceEnd(0)
	}
	until := mv.Now + document.Instant(r.MaxRepair/time.Millisecond)
	if mv.Ends != 0 {
		until = min(until, mv.Ends)
	}
	return until
}

// Move makes one attempt to store next under the new key and to swap the old record.
func (r *Records) Move(ctx context.Context, mv *Move, next store.Record) (err error) {
	limited := mv.Login && r.Limit.Sessions > 0 && !mv.within
	if limited && r.Limit.Refuse {
		if err = r.reserve(ctx, mv); err != nil {
			return Failed("giving a new id", err)
		}
		if err = r.admit(ctx, mv); err != nil {
			return err
		}
		mv.within, limited = true, false
	}
	stored := mv.Version != 0
	if next.Version = mv.Version; stored {
		next.Version, err = r.Store.Update(ctx, next)
	} else {
		next.Version, err = r.Store.Create(ctx, next)
	}
	if stored && err != nil && (mv.within || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound)) {
		// RevokeOwner or UpdateOwner has found the record of an earlier attempt in a listing,
		// and has ended or changed it. Its id is not used again. Or it is unknown whether a
		// session has begun that takes a place of the limit, and no client will have its id.
		r.Undo(ctx, mv)
	}
	if err == nil {
		mv.Version = next.Version
		if limited {
			if err = r.admit(ctx, mv); err != nil {
				return err
			}
			mv.within = true
		}
		if mv.Alone {
			return nil
		}
		err = r.supersede(ctx, mv)
	}
	if err != nil {
		return Failed("giving a new id", err)
	}
	return nil
}

// Retries returns nil if a move that has failed is worth another attempt on the version that
// is stored now, and waits before that. Otherwise it has undone the move, unless the old
// record may point to the new one.
func (r *Records) Retries(ctx context.Context, mv *Move, try int, err error) error {
	conflict := errors.Is(err, store.ErrConflict)
	switch {
	case errors.Is(err, ErrTooManySessions): // nothing is stored
	case try < maxConflicts && conflict:
		if err = pauseBeforeRetry(ctx, try); err != nil {
			r.Undo(ctx, mv)
		}
		return err
	case try < maxConflicts && errors.Is(err, store.ErrNotFound):
		return nil
	case mv.Version == 0 && !errors.Is(err, store.ErrExists), // it is unknown whether it was created
		mv.Version != 0 && Definite(err):
		r.Undo(ctx, mv)
	}
	return err
}

// Undo deletes the new record. No client has its id, so if the delete fails, the record
// expires unused.
func (r *Records) Undo(ctx context.Context, mv *Move) {
	if mv.Key == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.SaveTimeout)
	defer cancel()
	if err := r.Store.Delete(ctx, mv.Key); err != nil {
		r.OnFailure(ctx, mv.Owner, mv.Key, &Failure{err})
	}
	mv.Key, mv.Version, mv.Time, mv.within = "", 0, 0, false
}

// supersede swaps the session's record, under its old key, for a pointer to the new one.
// Where sessions leave no tombstones, it then deletes the old key and stores the pointer
// under another key, which express-session does not know. So express-session finds nothing
// under the old id, as after its own regenerate.
func (r *Records) supersede(ctx context.Context, mv *Move) error {
	info := document.Meta{Successor: mv.Key, Login: mv.Login, Carry: mv.Carry, Until: r.Until(mv)}
	expires := mv.Now + r.graceEnd(linger)
	if info.Login {
		info.Sealed = mv.Sealed
	} else {
		info.Owner = mv.Owner // so that RevokeOwner and UpdateOwner find it, see visits
	}
	if !info.Login && r.Grace > 0 {
		expires = info.Until + linger
		info.Unseen, info.Seen = mv.Unseen, mv.Seen
		if !r.IDs.Plain {
			sealed, err := r.IDs.Seal.SealID(mv.OldID, mv.ID)
			if err != nil {
				return err
			}
			info.NewID = sealed
		}
	}
	pointer := func(key string) store.Record {
		return store.Record{ID: key, Owner: info.Owner, Expires: expires.Time(), Data: document.Dataless(mv.Cookie, info, r.IDs.Seal, key)}
	}
	key := mv.OldKey
	old := pointer(key)
	old.Version = mv.OldVersion
	if err := r.point(ctx, old, mv.Key); err != nil || r.Tombstones {
		return err
	}
	_, err := r.Store.Create(ctx, pointer(linkKey(key)))
	if err == nil || errors.Is(err, store.ErrExists) {
		err = r.Store.Delete(ctx, key)
	}
	if err != nil { // the session has moved nevertheless, and the old record points to it
		r.OnFailure(ctx, mv.Owner, key, &Failure{err})
	}
	return nil
}

// point swaps the old record for the pointer. If the outcome is unknown it retries, because
// the client must not be left with only the old id, which ends with the grace.
func (r *Records) point(ctx context.Context, pointer store.Record, successor string) error {
	for try := 0; ; try++ {
		_, err := r.Store.Update(ctx, pointer)
		if try > 0 && errors.Is(err, store.ErrConflict) {
			rec, failed := r.Store.Load(ctx, pointer.ID)
			if failed == nil && r.IDs.Seal.MetaOf(rec.ID, rec.Data).Successor == successor {
				return nil // an earlier try did it
			}
			if failed != nil {
				err = failed
			}
		}
		if err == nil || Definite(err) || try == maxPoints || !backoff.Pause(ctx, backoff.Backoff(try)) {
			return err
		}
	}
}
