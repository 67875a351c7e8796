package session

import (
	"context"
	"errors"
	"time"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/watch"
	"github.com/nestsession/session/store"
)

// look finds out for the hub what has become of the session that was last seen under key.
func (c *core) look(ctx context.Context, key string, until time.Time) (watch.State, error) {
	d := deadline.Within(ctx, c.loadTimeout)
	defer d.End()
	for range maxHops {
		rec, err := c.loadRecord(d, key)
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			return watch.State{}, &storeError{err}
		}
		m := c.seal.MetaOf(rec.ID, rec.Data)
		switch {
		case m.Ended:
			return watch.State{Ended: c.why(key, time.Time{})}, nil
		case m.Login:
			return watch.State{Ended: ErrLoggedIn}, nil
		case m.Successor == "":
			if c.over(m.Created) {
				return watch.State{Ended: ErrExpired}, nil
			}
			until := rec.Expires
			if end := c.end(m.Created).Time(); !end.IsZero() && (until.IsZero() || end.Before(until)) {
				until = end
			}
			return watch.State{Key: key, Until: until}, nil
		}
		key, until = m.Successor, time.Time{}
	}
	return watch.State{Ended: c.why(key, until)}, nil
}

// why returns why there is no session under key, which was to last until the given time.
func (c *core) why(key string, until time.Time) error {
	if cause, ok := c.ending.Load(key); ok {
		return cause.(error)
	}
	if !until.IsZero() && !c.now().Before(until) {
		return ErrExpired
	}
	return ErrRevoked
}

func (c *core) newHub(recheck time.Duration) *watch.Hub {
	h := watch.Config{Look: c.look, Recheck: recheck, Now: c.now}
	w, watches := store.As[store.Watcher](c.store)
	h.Watch = w
	if h.Recheck == 0 {
		h.Recheck = DefaultRecheckInterval
		if !watches {
			h.Recheck = DefaultPollInterval
		}
	}
	return watch.New(h)
}
