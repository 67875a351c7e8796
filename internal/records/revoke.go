package records

import (
	"context"
	"sync/atomic"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/store"
)

// Revoke ends the session under key, and reports whether it was this call that did.
func (r *Records) Revoke(ctx context.Context, key string, version store.Version, owner string) (ended bool, err error) {
	return r.revoke(ctx, key, version, owner, ErrRevoked, "")
}

// revoke is Revoke for a reason, and with what those on this node get who wait for the end.
func (r *Records) revoke(ctx context.Context, key string, version store.Version, owner string, cause error, reason string) (ended bool, err error) {
	d := deadline.Within(ctx, r.SaveTimeout)
	defer d.End()
	ended, err = r.Remove(d, key, version, cause)
	if ended {
		r.OnRevoked(ctx, owner, key, reason)
	}
	if err != nil {
		err = Failed("revoking", err)
	}
	return ended, err
}

// RevokeOne ends the owner's session with the given digest, and reports whether this call
// ended it.
func (r *Records) RevokeOne(ctx context.Context, owner, digest string) (ended bool, err error) {
	l, err := r.find(ctx, owner, digest)
	if l == nil || err != nil {
		return false, err
	}
	return r.Revoke(ctx, l.Key, l.Rec.Version, owner)
}

// RevokeOwner ends all sessions of an owner except keep, and returns how many it ended.
func (r *Records) RevokeOwner(ctx context.Context, owner string, keep []Kept) (int, error) {
	var n atomic.Int64
	v := visits{r: r, owner: owner, keep: keep, again: 100}
	v.do = func(ctx context.Context, l *Listed) error {
		ended, err := r.Revoke(ctx, l.Key, l.Rec.Version, owner)
		if ended {
			n.Add(1)
		}
		return err
	}
	err := v.all(ctx)
	return int(n.Load()), err
}
