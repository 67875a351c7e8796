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
	// maxConflicts limits how often a save is retried. Each conflict means that another
	// save succeeded, so only very many concurrent saves reach the limit.
	maxConflicts = 1000
	// maxBackoff is the longest wait between two tries.
	maxBackoff = 8 * time.Millisecond
	// maxIDs limits how many ids are tried: a generator that repeats ids is broken.
	maxIDs = 4
)

// pauseBeforeRetry waits before another try. The wait grows and is random, so that requests
// that collided do not collide again.
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

// end returns when the absolute timeout ends a session; zero if there is none.
func (c *core) end(created document.Instant) document.Instant {
	if c.absolute <= 0 || created == 0 {
		return 0
	}
	return created + document.Instant(c.absolute/time.Millisecond)
}

// overdue is how many milliseconds a record is kept after the absolute timeout, so that a
// visit can find out that this timeout ended the session.
const overdue = 3_600_000

// keepUntil returns the time from which the store may drop a session; zero means never.
func (c *core) keepUntil(created document.Instant) document.Instant {
	end := c.end(created)
	if end != 0 && c.policy.ownsRecords() {
		end += overdue
	}
	return end
}

// maxHops limits how many renewals are followed from an old id. Each must have happened
// within the grace of the one before.
const maxHops = 8

// expired converts the error of a load. A tombstone or a pointer that has expired is not
// reported as a session that has expired.
func (c *core) expired(rec store.Record, err error) error {
	if errors.Is(err, store.ErrExpired) && rec.ID != "" {
		if info := c.seal.MetaOf(rec.ID, rec.Data); info.Ended || info.Successor != "" {
			return store.ErrNotFound
		}
	}
	return err
}

// loadRecord reads the record under key, or the link with which Login and Renew have
// replaced it (see [core.supersede]).
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

// isGone reports whether no link replaces the record under key. The store has just reported
// that the record does not exist.
func (c *core) isGone(ctx context.Context, key string) bool {
	if c.policy.leavesTombstones() {
		return true
	}
	_, err := c.store.Load(ctx, linkKey(key))
	return errors.Is(err, store.ErrNotFound)
}

// past reports whether the tombstone of a session no longer counts, so that its id is
// treated as unknown. A touch by a request in flight may have moved the record's expiry.
func (c *core) past(info *document.Meta, expires time.Time) bool {
	now := c.present()
	return info.Until != 0 && now >= info.Until || info.Until == 0 && document.InstantOf(expires) > now+c.graceEnd(linger)
}

// answers reports whether the id from before Renew still leads to the session. It does
// until a request has come with the new id, since the client may not have received that,
// and for the grace after that.
func (c *core) answers(info *document.Meta, more document.Instant) bool {
	return info.Unseen && c.grace > 0 || info.Seen != 0 && c.present() < info.Seen+c.graceEnd(more)
}

// graceEnd returns the length of the grace plus more.
func (c *core) graceEnd(more document.Instant) document.Instant {
	return document.Instant(max(c.grace, 0)/time.Millisecond) + more
}

// over reports whether the absolute timeout has ended a session. The store keeps the record
// for a while longer, or as long as another program or another Config has set.
func (c *core) over(created document.Instant) bool {
	end := c.end(created)
	return end != 0 && c.present() >= end
}

// ownerOf returns the owner of a record. If other programs write records, the store may
// have read the owner from their data (Config.OwnerOf of the stores). Otherwise only the
// sealed bookkeeping counts.
func (c *core) ownerOf(rec *store.Record, info *document.Meta) string {
	if info.Owner == "" && !c.policy.ownsRecords() && !info.Forged {
		return rec.Owner
	}
	return info.Owner
}

// remove ends the session whose record is under key, and the session to which it was
// renewed. It reports whether this call ended it: of several concurrent calls, exactly one
// returns true. With an empty key it does nothing.
//
// A delete is not enough. Between a load and the delete, another request can renew the
// session: the delete then removes the pointer, and the session lives on under its new id.
// So remove swaps the record for a tombstone. If the swap fails, there is a newer version,
// and remove looks at that. If it succeeds, no renewal can. The tombstone stays for the
// grace. Requests that the browser sent before it knew of the end find the tombstone, and
// do not touch the cookie, which may be a newer one by then.
//
// If a login has replaced this session, remove does not end the new session: a client that
// has only the old id has no rights to the new session.
//
// cause is the error for those on this node who wait for the end.
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
			return false, c.clear(ctx, rec.ID, cause) // an earlier try may have failed to do this
		case info.Login:
			return false, nil
		case info.Successor != "":
			ended, err := c.remove(ctx, info.Successor, 0, cause)
			if err != nil {
				return ended, err
			}
			// Only this code swaps a pointer again, so the first swap is the one that counts.
			_, err = c.store.Update(ctx, c.tombstoneOf(rec.ID, rec.Version))
			if err != nil && !definite(err) {
				return ended, err
			}
			return ended, c.clear(ctx, rec.ID, cause)
		}
		version = rec.Version
	}
}

// clear deletes a tombstone at once if no request must find it: express-session would take
// it for a session, and after an expiry no request needs one.
func (c *core) clear(ctx context.Context, key string, cause error) error {
	if !c.policy.leavesTombstones() || c.grace <= 0 || errors.Is(cause, ErrExpired) {
		return c.store.Delete(ctx, key)
	}
	return nil
}

// tombstoneOf returns the record that replaces the record of a session that has ended.
func (c *core) tombstoneOf(key string, version store.Version) store.Record {
	return store.Record{ID: key, Data: document.Tombstone, Expires: (c.present() + c.graceEnd(0)).Time(), Version: version}
}

// definite reports whether a failed write is known to have had no effect.
func definite(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrFull)
}

const (
	// maxPoints limits how often a renewal with an unknown outcome is retried.
	maxPoints = 5

	// linger is how many milliseconds a pointer is kept after the grace. It no longer serves
	// new requests, but a request that was in flight still finds the new record.
	linger = 60_000
)
