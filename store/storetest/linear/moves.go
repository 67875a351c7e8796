package linear

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/nestsession/session/store"
)

// move is a short sequence of operations on one id.
type move struct {
	weight map[Topic]int
	run    func(ctx context.Context, c *client, id int)
}

// moves are the possible next operations of a client. Most of them conflict with those of other
// clients.
var moves = []move{
	{map[Topic]int{Swaps: 3, Lives: 3, Endings: 2, Expiries: 3}, func(ctx context.Context, c *client, id int) {
		c.load(ctx, id)
	}},
	{map[Topic]int{Swaps: 5, Lives: 3, Endings: 3, Expiries: 3}, func(ctx context.Context, c *client, id int) {
		if c.load(ctx, id) {
			c.change(ctx, id, c.newest(id))
		}
	}},
	// An update of what was read before others wrote.
	{map[Topic]int{Swaps: 5, Lives: 3, Endings: 2, Expiries: 2}, func(ctx context.Context, c *client, id int) {
		c.change(ctx, id, c.newest(id))
	}},
	{map[Topic]int{Swaps: 2, Lives: 2, Endings: 1, Expiries: 1}, func(ctx context.Context, c *client, id int) {
		c.change(ctx, id, c.older(id))
	}},
	// An update that changes only the expiry: equal contents may have equal versions.
	{map[Topic]int{Swaps: 2, Lives: 1, Endings: 1, Expiries: 1}, func(ctx context.Context, c *client, id int) {
		if r := c.newest(id); r.Version != 0 {
			same := r
			same.Expires = c.expiry(id)
			c.update(ctx, id, r, same)
		}
	}},
	{map[Topic]int{Swaps: 5, Lives: 4, Endings: 4, Expiries: 4}, func(ctx context.Context, c *client, id int) {
		c.touch(ctx, id, c.expiry(id))
	}},
	{map[Topic]int{Swaps: 2, Lives: 2, Endings: 1, Expiries: 2}, func(ctx context.Context, c *client, id int) {
		if c.load(ctx, id) {
			c.touch(ctx, id, c.expiry(id))
			c.load(ctx, id)
		}
	}},
	{map[Topic]int{Swaps: 3, Lives: 5, Endings: 5, Expiries: 5}, func(ctx context.Context, c *client, id int) {
		c.create(ctx, id, c.expiry(id))
	}},
	{map[Topic]int{Swaps: 1, Lives: 3, Expiries: 1}, func(ctx context.Context, c *client, id int) {
		c.remove(ctx, id)
	}},
	{map[Topic]int{Lives: 2}, func(ctx context.Context, c *client, id int) {
		c.remove(ctx, id)
		c.create(ctx, id, c.expiry(id))
	}},
	// This is how package session ends a session: by a write that fails if another write comes
	// first.
	{map[Topic]int{Endings: 5}, func(ctx context.Context, c *client, id int) {
		if c.load(ctx, id) {
			c.end(ctx, id, c.newest(id))
		}
	}},
	{map[Topic]int{Endings: 2}, func(ctx context.Context, c *client, id int) {
		c.end(ctx, id, c.older(id))
	}},
	{map[Topic]int{Endings: 1}, func(ctx context.Context, c *client, id int) {
		c.touch(ctx, id, c.round.past())
	}},
}

// change updates what was read with a new document.
func (c *client) change(ctx context.Context, id int, read store.Record) {
	if read.Version == 0 {
		c.load(ctx, id)
		return
	}
	r := c.round.document(id)
	r.Expires = c.expiry(id)
	c.update(ctx, id, read, r)
}

// end writes a record that has expired.
func (c *client) end(ctx context.Context, id int, read store.Record) {
	if read.Version != 0 {
		over := c.round.document(id)
		over.Expires = c.round.past()
		c.update(ctx, id, read, over)
	}
}

// newest returns the content that the client has read or written last, with version 0 if there is
// none.
func (c *client) newest(id int) store.Record {
	if n := len(c.read[id]); n > 0 {
		return c.read[id][n-1]
	}
	return store.Record{}
}

// older returns a content that the client has read or written at some time.
func (c *client) older(id int) store.Record {
	if n := len(c.read[id]); n > 0 {
		return c.read[id][c.rand.IntN(n)]
	}
	return store.Record{}
}

// draw picks one by the weights of the topic.
func draw(topic Topic, r *rand.Rand) move {
	sum := 0
	for _, m := range moves {
		sum += m.weight[topic]
	}
	n := r.IntN(sum)
	for _, m := range moves {
		if n -= m.weight[topic]; n < 0 {
			return m
		}
	}
	panic("unreachable: n is less than the sum of the weights")
}

// document returns a record with a content that no other has.
func (r *round) document(id int) store.Record {
	data, owner := document(r.documents.Add(1))
	return store.Record{ID: r.ids[id], Owner: owner, Data: []byte(data)}
}

// document is written as package session writes it, so that a store that looks for the owner in the
// document finds it.
func document(n int64) (data, owner string) {
	owner = fmt.Sprintf("user:%d", n%3)
	return fmt.Sprintf(`{"cookie":{"path":"/"},"n":%d,"__nestsession":{"owner":%q}}`, n, owner), owner
}

// owner is the part of an owner that is compared.
func (r *round) owner(owner string) string {
	if r.opts.WithoutOwner {
		return ""
	}
	return owner
}
