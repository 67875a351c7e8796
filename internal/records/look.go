package records

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/watch"
	"github.com/nestsession/session/store"
)

// Watch makes the hub. It looks at a session again after recheck; by default after watched
// if the store notifies of changes, and after polled if it does not.
func (r *Records) Watch(recheck, watched, polled time.Duration) {
	h := watch.Config{Look: r.look, Recheck: recheck, Now: r.Now}
	notifier, notifies := store.As[store.Watcher](r.Store)
	h.Watch = notifier
	if notifies {
		polled = watched
	}
	h.Recheck = cmp.Or(recheck, polled)
	r.Hub = watch.New(h)
}

// look finds out for the hub what has become of the session that was last seen under key.
func (r *Records) look(ctx context.Context, key string, until time.Time) (watch.State, error) {
	d := deadline.Within(ctx, r.LoadTimeout)
	defer d.End()
	for range maxHops {
		rec, err := r.record(d, key)
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			return watch.State{}, &Failure{err}
		}
		m := r.IDs.Seal.MetaOf(rec.ID, rec.Data)
		switch {
		case m.Ended:
			return watch.State{Ended: r.why(key, time.Time{})}, nil
		case m.Login:
			return watch.State{Ended: ErrLoggedIn}, nil
		case m.Successor == "":
			if r.over(m.Created) {
				return watch.State{Ended: ErrExpired}, nil
			}
			until := rec.Expires
			if end := r.End(m.Created).Time(); !end.IsZero() && (until.IsZero() || end.Before(until)) {
				until = end
			}
			return watch.State{Key: key, Until: until}, nil
		}
		key, until = m.Successor, time.Time{}
	}
	return watch.State{Ended: r.why(key, until)}, nil
}

// why returns why there is no session under key, which was to last until the given time.
func (r *Records) why(key string, until time.Time) error {
	if cause, ok := r.ending.Load(key); ok {
		return cause.(error)
	}
	if !until.IsZero() && !r.Now().Before(until) {
		return ErrExpired
	}
	return ErrRevoked
}
