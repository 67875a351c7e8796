package records

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// Change returns the next text of a document, nil if it stays as it is. It may run again on
// a newer version, and for several documents at the same time.
type Change func(document.Stored) ([]byte, error)

// UpdateOwner changes each session of an owner except keep, and returns how many it changed.
func (r *Records) UpdateOwner(ctx context.Context, owner string, change Change, keep []Kept) (changed int, err error) {
	var n, undecodable, sealed atomic.Int64
	v := visits{r: r, owner: owner, keep: keep}
	v.do = func(ctx context.Context, l *Listed) error {
		if l.Doc == nil {
			undecodable.Add(1)
			return nil
		}
		done, err := r.update(ctx, l, owner, change, v.claim)
		if errors.Is(err, document.ErrSealed) {
			sealed.Add(1)
			return nil
		}
		if done {
			n.Add(1)
		}
		return err
	}
	err = v.all(ctx)
	if u := undecodable.Load(); err == nil && u > 0 {
		err = fmt.Errorf("session: updating: %d sessions of %q cannot be decoded and were not changed; end them with RevokeOwner", u, owner)
	}
	if n := sealed.Load(); n > 0 && err == nil {
		err = fmt.Errorf("%w: %d sessions of %q were not changed; to make them log in again, call RevokeOwner", document.ErrSealed, n, owner)
	}
	return int(n.Load()), err
}

// UpdateOne changes the owner's session with the given digest, and reports whether its data
// have changed.
func (r *Records) UpdateOne(ctx context.Context, owner, digest string, change Change) (changed bool, err error) {
	l, err := r.find(ctx, owner, digest)
	if l == nil || err != nil {
		return false, err
	}
	if l.Doc == nil {
		return false, fmt.Errorf("session: updating: the session %s cannot be decoded; end it with RevokeSession", digest)
	}
	changed, err = r.update(ctx, l, owner, change, func(string) bool { return true })
	if errors.Is(err, document.ErrSealed) {
		err = fmt.Errorf("%w: the session %s was not changed; to make it log in again, call RevokeSession", err, digest)
	}
	return changed, err
}

// update changes one session by compare-and-swap. It writes nothing if the change changes
// nothing. The owner and the expiry stay as they are. claim is as in visits.
func (r *Records) update(ctx context.Context, l *Listed, owner string, change Change, claim func(key string) bool) (changed bool, err error) {
	d := deadline.Within(ctx, r.SaveTimeout)
	defer d.End()
	for try := 0; ; try++ {
		next := l.Rec
		if next.Data, err = change(l.Doc); next.Data == nil || err != nil {
			return false, err
		}
		if err := r.Fits(next.Data, l.Doc.Bookkeeping().Device); err != nil {
			return false, err
		}
		_, err := r.Store.Update(d, next)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, store.ErrNotFound):
			return false, nil // it has ended
		case errors.Is(err, store.ErrConflict) && try < maxConflicts:
			err = pauseBeforeRetry(d, try)
		}
		if err != nil {
			return false, Failed("updating", err)
		}
		was := l.Key
		if l, err = r.follow(d, was); err != nil {
			return false, err
		}
		if l == nil || l.Owner != owner || l.Key != was && !claim(l.Key) {
			return false, nil
		}
		if l.Doc == nil {
			return false, fmt.Errorf("session: updating: the data that another program has stored in the meantime cannot be decoded")
		}
	}
}
