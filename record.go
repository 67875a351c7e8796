package session

import (
	"context"
	"errors"
	"time"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/document"
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

// pauseBeforeRetry waits before another try: at first hardly, then longer and at random, so
// that those who collided do not meet again.
func pauseBeforeRetry(ctx context.Context, try int) error {
	if try < 2 {
		return ctx.Err()
	}
	limit := min(time.Duration(try)*100*time.Microsecond, maxBackoff)
	if !backoff.Pause(ctx, backoff.Below(limit)) {
		return ctx.Err()
	}
	return nil
}

// end is when the absolute timeout ends a session; zero if there is none.
func (c *core) end(created document.Instant) document.Instant {
	if c.absolute <= 0 || created == 0 {
		return 0
	}
	return created + document.Instant(c.absolute/time.Millisecond)
}

// overdue is for how many milliseconds a record is kept that the absolute timeout has
// ended, so that a visit finds out that it was this timeout.
const overdue = 3_600_000

// keepUntil is when the store may forget a session at the latest; zero if never.
func (c *core) keepUntil(created document.Instant) document.Instant {
	end := c.end(created)
	if end != 0 && c.policy.ownsRecords() {
		end += overdue
	}
	return end
}

// maxHops bounds how many renewals are followed from an old id: each must have
// happened within the grace of the one before.
const maxHops = 8

// expired is the error of a load, which says that a session has expired only if it was a
// session: the end of what is left of one that was ended, or renewed, is no news.
func (c *core) expired(rec store.Record, err error) error {
	if errors.Is(err, store.ErrExpired) && rec.ID != "" {
		if info := c.seal.MetaOf(rec.ID, rec.Data); info.Ended || info.Successor != "" {
			return store.ErrNotFound
		}
	}
	return err
}

// loadRecord reads the record under key, or the link that Login and Renew have left in
// its place (see [core.supersede]).
func (c *core) loadRecord(ctx context.Context, key string) (store.Record, error) {
	rec, err := c.store.Load(ctx, key)
	if !c.policy.leavesTombstones() && errors.Is(err, store.ErrNotFound) {
		link, failed := c.store.Load(ctx, linkKey(key))
		if errors.Is(failed, store.ErrNotFound) {
			return rec, err
		}
		key, rec, err = linkKey(key), link, failed
	}
	if err == nil && rec.ID != key {
		err = errOtherRecord
	}
	return rec, err
}

// isGone reports whether nothing is left of the record under key, of which the store has
// just said that it is not there.
func (c *core) isGone(ctx context.Context, key string) bool {
	if c.policy.leavesTombstones() {
		return true
	}
	_, err := c.store.Load(ctx, linkKey(key))
	return errors.Is(err, store.ErrNotFound)
}

// past reports whether what ended a session no longer counts: then its id is one that
// nobody knows. A touch by a request in flight may have moved the record's expiry.
func (c *core) past(info *document.Meta, expires time.Time) bool {
	now := c.present()
	return info.Until != 0 && now >= info.Until || info.Until == 0 && document.InstantOf(expires) > now+c.graceEnd(linger)
}

// answers reports whether the id that a session had before Renew still leads to it: as
// long as no request has come with the new one, since the client may not have got that,
// and for the grace after that.
func (c *core) answers(info *document.Meta, more document.Instant) bool {
	return info.Unseen && c.grace > 0 || info.Seen != 0 && c.present() < info.Seen+c.graceEnd(more)
}

// graceEnd is how much later than now the grace ends, and more.
func (c *core) graceEnd(more document.Instant) document.Instant {
	return document.Instant(max(c.grace, 0)/time.Millisecond) + more
}

// over reports whether the absolute timeout has ended a session. The store keeps the
// record a while longer, or as long as another program or another Config has said.
func (c *core) over(created document.Instant) bool {
	end := c.end(created)
	return end != 0 && c.present() >= end
}

// ownerOf is whose session a record is. Where other programs write records the store may
// have read the owner out of their data, as the application told it to (Config.OwnerOf
// of the stores); elsewhere only the sealed bookkeeping counts.
func (c *core) ownerOf(rec *store.Record, info *document.Meta) string {
	if info.Owner == "" && !c.policy.ownsRecords() && !info.Forged {
		return rec.Owner
	}
	return info.Owner
}

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
				if c.isGone(ctx, key) {
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

const (
	// maxPoints bounds how often a renewal is tried whose outcome is not known.
	maxPoints = 5

	// linger is for how many milliseconds a pointer is kept after the grace. It answers
	// nobody then, but a request that was in flight all the while still finds where the
	// session went.
	linger = 60_000
)
