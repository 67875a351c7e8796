package throttle

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/maphash"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/record"
	"github.com/nestsession/session/store"
)

// bucket keeps the rows of a [Shared] as records of a store, which are changed by swaps. Instants are
// those of this server's clock: a server whose clock is fast by some time allows the guesses of that
// time once more, and lets the others allow fewer.
type bucket struct {
	kept store.Store
	seed maphash.Seed

	// A server changes a row once at a time, so that its attempts do not refuse each other's swaps.
	turns [64]chan struct{}
}

func newBucket(kept store.Store) *bucket {
	b := &bucket{kept: kept, seed: maphash.MakeSeed()}
	for i := range b.turns {
		b.turns[i] = make(chan struct{}, 1)
	}
	return b
}

// count is a row as JSON.
type count struct {
	Empty    int64 `json:"empty"`
	UnderWay int64 `json:"under_way,omitempty"`
	Lease    int64 `json:"lease,omitempty"` // until when UnderWay counts
}

// unused is how long a row stays that counts nothing any more: longer than any attempt lasts, so
// that its place is never given back to the row of others.
const unused = time.Hour

// change swaps a row for what do makes of it, unless do returns false.
func (b *bucket) change(ctx context.Context, key []byte, do func(c *count, now int64) bool) error {
	turn := b.turns[maphash.Bytes(b.seed, key)%uint64(len(b.turns))]
	select {
	case <-ctx.Done():
		return ctx.Err()
	case turn <- struct{}{}:
	}
	defer func() { <-turn }()
	_, err := record.Change(ctx, b.kept, b.kept, hex.EncodeToString(key), func(c *count, _ bool) (time.Time, bool) {
		write := do(c, time.Now().UnixMicro())
		return time.UnixMicro(max(c.Empty, c.Lease)).Add(unused), write
	})
	return err
}

func (b *bucket) take(ctx context.Context, key []byte, every, lease, slack int64) (taken bool, now, empty, underWay int64, err error) {
	err = b.change(ctx, key, func(c *count, at int64) bool {
		if c.Lease < at {
			c.UnderWay = 0
		}
		now, empty, underWay = at, c.Empty, c.UnderWay
		if taken = c.Empty <= at+every+slack; taken {
			*c = count{Empty: max(c.Empty, at) + every, UnderWay: c.UnderWay + 1, Lease: at + lease}
		}
		return taken
	})
	return taken, now, empty, underWay, err
}

// end changes a row that exists.
func (b *bucket) end(ctx context.Context, key []byte, every int64) error {
	return b.change(ctx, key, func(c *count, _ int64) bool {
		exists := c.Empty != 0
		c.UnderWay, c.Empty = max(c.UnderWay-1, 0), c.Empty-every
		return exists
	})
}

func (b *bucket) wrong(ctx context.Context, key []byte) error { return b.end(ctx, key, 0) }

func (b *bucket) giveBack(ctx context.Context, key []byte, every int64) error {
	return b.end(ctx, key, every)
}

func (b *bucket) put(ctx context.Context, key []byte, keep int64) error {
	return b.change(ctx, key, func(c *count, now int64) bool {
		c.Empty = now + keep
		return true
	})
}

func (b *bucket) has(ctx context.Context, key []byte) (bool, error) {
	r, err := b.kept.Load(ctx, hex.EncodeToString(key))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var c count
	err = json.Unmarshal(r.Data, &c)
	return c.Empty > time.Now().UnixMicro(), err
}

// sweep has nothing to do: the records expire.
func (b *bucket) sweep(context.Context) (bool, error) { return false, nil }
