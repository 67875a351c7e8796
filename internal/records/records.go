// Package records keeps sessions as records in a store, beneath any request. It knows what
// stands under the key of a session that has ended or has a new id, and follows that; it
// ends sessions and gives them new ids, so that of concurrent requests none undoes it; and it
// finds, ends and changes the sessions of an owner.
//
// It does not depend on the type of the data.
package records

import (
	"context"
	"sync"
	"time"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/ids"
	"github.com/nestsession/session/internal/watch"
	"github.com/nestsession/session/store"
)

// Records are the sessions of one manager. The fields are set before the first call of a
// method, and do not change.
type Records struct {
	Store store.Store
	Codec document.Untyped
	IDs   *ids.Maker
	Now   func() time.Time

	Absolute    time.Duration // the absolute timeout; 0 or less: none
	Grace       time.Duration // of renewals; 0 or less: none
	MaxRepair   time.Duration // how long an old id leads to the new one if no request comes with that
	LoadTimeout time.Duration
	SaveTimeout time.Duration
	MaxBytes    int // of a document

	// Tombstones: a session that has ended, or has a new id, leaves a small record under its
	// key for the grace. Otherwise nothing stays where express-session would look for it: the
	// end deletes the record, and a link under another key leads to the new id.
	Tombstones bool

	// Owned: only managers write records. Otherwise the store handles expiry, and may read
	// an owner from another program's data.
	Owned bool

	// Limit is how many sessions an owner may have, for logins.
	Limit Limit

	// Visitors is how many of an owner's sessions are visited at a time; 0: 16.
	Visitors int

	// Forget drops what this node has cached of a session that is no longer in the store.
	Forget func(key string)

	// OnRevoked reports a session that was revoked; reason is "" or [ByLimit]. OnFailure
	// reports a write that has failed after the call that made it could no longer fail.
	OnRevoked func(ctx context.Context, owner, key, reason string)
	OnFailure func(ctx context.Context, owner, key string, err error)

	Hub    *watch.Hub // of those who wait for the end of a session; see [Records.Watch]
	ending sync.Map   // key → cause of the removals in progress on this node
}

const (
	// maxConflicts limits how often a save is retried. Each conflict means that another
	// save succeeded, so only very many concurrent saves reach the limit.
	maxConflicts = 1000
	// maxBackoff is the longest wait between two tries.
	maxBackoff = 8 * time.Millisecond
	// maxHops limits how many renewals are followed from an old id. Each must have happened
	// within the grace of the one before.
	maxHops = 8

	// overdue is how many milliseconds a record is kept after the absolute timeout, so that a
	// visit can find out that this timeout ended the session.
	overdue = 3_600_000
	// linger is how many milliseconds a pointer is kept after the grace. It no longer serves
	// new requests, but a request that was in flight still finds the new record.
	linger = 60_000
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

// Present returns the current time.
func (r *Records) Present() document.Instant { return document.Instant(r.Now().UnixMilli()) }

// End returns when the absolute timeout ends a session; zero if there is none.
func (r *Records) End(created document.Instant) document.Instant {
	if r.Absolute <= 0 || created == 0 {
		return 0
	}
	return created + document.Instant(r.Absolute/time.Millisecond)
}

// KeepUntil returns the time from which the store may drop a session; zero means never.
func (r *Records) KeepUntil(created document.Instant) document.Instant {
	end := r.End(created)
	if end != 0 && r.Owned {
		end += overdue
	}
	return end
}

// over reports whether the absolute timeout has ended a session. The store keeps the record
// for a while longer, or as long as another program or another Config has set.
func (r *Records) over(created document.Instant) bool {
	end := r.End(created)
	return end != 0 && r.Present() >= end
}

// graceEnd returns the length of the grace plus more.
func (r *Records) graceEnd(more document.Instant) document.Instant {
	return document.Instant(max(r.Grace, 0)/time.Millisecond) + more
}

// Forgotten reports whether a renewal was so long ago that the document need no longer say
// when a request first came with the new id.
func (r *Records) Forgotten(seen, now document.Instant) bool {
	return seen != 0 && now >= seen+r.graceEnd(linger)
}

// answers reports whether the id from before Renew still leads to the session. It does
// until a request has come with the new id, since the client may not have received that,
// and for the grace after that.
func (r *Records) answers(info *document.Meta, more document.Instant) bool {
	return info.Unseen && r.Grace > 0 || info.Seen != 0 && r.Present() < info.Seen+r.graceEnd(more)
}

// past reports whether the tombstone of a session no longer counts, so that its id is
// treated as unknown. A touch by a request in flight may have moved the record's expiry.
func (r *Records) past(info *document.Meta, expires time.Time) bool {
	now := r.Present()
	return info.Until != 0 && now >= info.Until || info.Until == 0 && document.InstantOf(expires) > now+r.graceEnd(linger)
}

// OwnerOf returns the owner of a record. If other programs write records, the store may
// have read the owner from their data (Config.OwnerOf of the stores). Otherwise only the
// sealed bookkeeping counts.
func (r *Records) OwnerOf(rec *store.Record, info *document.Meta) string {
	if info.Owner == "" && !r.Owned && !info.Forged {
		return rec.Owner
	}
	return info.Owner
}
