package session

import (
	"context"
	"errors"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// remove ends the session whose record is kept under key, and what it was renewed to.
// It reports whether it was this call that ended it: of several at once one is told so.
// No key, nothing to do.
//
// A delete would not do: between whoever looks at a record and deletes it, another
// request can renew the session, so that what is deleted is the pointer and the session
// lives on under its new id. So the record is swapped for a tombstone. If the swap fails
// there was another version, which is looked at; if it succeeds no renewal can. The
// tombstone stays for the grace: requests that the browser had sent before it knew
// find out that they must not touch its cookie, which may be a newer one by then.
//
// A session that a login has put in the place of this one is not ended with it: who
// has the old id only has nothing to do with the new session.
//
// cause is what those are told who wait for the end on this node.
func (c *core) remove(ctx context.Context, key string, version store.Version, cause error) (ended bool, err error) {
	if key == "" {
		return false, nil
	}
	c.ending.Store(key, cause)
	defer c.ending.Delete(key)
	ended, err = c.removeRecord(ctx, key, version, cause)
	if err == nil {
		c.hub.End(key, cause)
		c.dropCached(key)
	}
	return ended, err
}

func (c *core) removeRecord(ctx context.Context, key string, version store.Version, cause error) (bool, error) {
	for try := 0; ; try++ {
		if version != 0 {
			_, err := c.store.Update(ctx, c.tombstoneOf(key, version))
			if err == nil {
				return true, c.clear(ctx, key, cause)
			}
			if errors.Is(err, store.ErrNotFound) {
				if c.gone(ctx, key) {
					return false, c.clear(ctx, key, cause)
				}
			} else {
				if !errors.Is(err, store.ErrConflict) || try == maxConflicts {
					return false, err
				}
				if err := pauseBeforeRetry(ctx, try); err != nil {
					return false, err
				}
			}
		}
		rec, err := c.loadRecord(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		switch info := c.seal.MetaOf(rec.ID, rec.Data); {
		case info.Ended:
			return false, c.clear(ctx, rec.ID, cause) // which an earlier try may have failed to do
		case info.Login:
			return false, nil
		case info.Successor != "":
			ended, err := c.remove(ctx, info.Successor, 0, cause)
			if err != nil {
				return ended, err
			}
			// Nothing swaps a pointer again but this, so that whoever is first has done it.
			_, err = c.store.Update(ctx, c.tombstoneOf(rec.ID, rec.Version))
			if err != nil && !definite(err) {
				return ended, err
			}
			return ended, c.clear(ctx, rec.ID, cause)
		}
		version = rec.Version
	}
}

// clear deletes a tombstone at once where nobody is to find it: express-session would
// take it for a session, and nobody answers for one that has expired.
func (c *core) clear(ctx context.Context, key string, cause error) error {
	if !c.policy.leavesTombstones() || c.grace <= 0 || errors.Is(cause, ErrExpired) {
		return c.store.Delete(ctx, key)
	}
	return nil
}

// tombstoneOf is what takes the place of the record of a session that is over.
func (c *core) tombstoneOf(key string, version store.Version) store.Record {
	return store.Record{ID: key, Data: document.Tombstone, Expires: (c.present() + c.graceEnd(0)).Time(), Version: version}
}

// definite reports whether a failed write is known not to have happened.
func definite(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrFull)
}
