package linear

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nestsession/session/store"
)

// client is one of the concurrent clients. Its random numbers and what it has read determine what
// it does.
type client struct {
	round   *round
	number  int
	node    int
	store   store.Store
	rand    *rand.Rand
	read    [][]store.Record // by id: the contents that it has read or written, the newest last
	history []operation
}

func newClient(r *round, number, round int) *client {
	node := (number + round) % len(r.nodes)
	return &client{
		round:  r,
		number: number,
		node:   node,
		store:  r.nodes[node],
		rand:   r.opts.numbers(r.topic, round, number+1),
		read:   make([][]store.Record, len(r.ids)),
	}
}

func (c *client) load(ctx context.Context, id int) bool {
	in := call{method: load, id: c.round.ids[id]}
	ok := c.do(ctx, in, func(ctx context.Context, a *answer) error {
		r, err := c.store.Load(ctx, in.id)
		if err != nil {
			return err
		}
		r.Owner = c.round.owner(r.Owner)
		a.content = content{string(r.Data), r.Owner}
		a.expires, a.version = r.Expires.UnixNano(), r.Version
		c.learn(id, r)
		return nil
	})
	return ok
}

func (c *client) create(ctx context.Context, id int, expires time.Time) bool {
	r := c.round.document(id)
	r.Expires = expires
	return c.write(ctx, create, id, r, content{}, c.store.Create)
}

// update writes r over the version of read.
func (c *client) update(ctx context.Context, id int, read, r store.Record) bool {
	r.ID, r.Version = read.ID, read.Version
	return c.write(ctx, update, id, r, content{string(read.Data), read.Owner}, c.store.Update)
}

func (c *client) write(ctx context.Context, m method, id int, r store.Record, basis content, write func(context.Context, store.Record) (store.Version, error)) bool {
	c.round.wish(id, r.Expires)
	in := call{
		method: m, id: r.ID,
		content: content{string(r.Data), c.round.owner(r.Owner)},
		expires: r.Expires.UnixNano(),
		version: r.Version, basis: basis,
	}
	return c.do(ctx, in, func(ctx context.Context, a *answer) (err error) {
		if a.version, err = write(ctx, r); err == nil {
			r.Version, r.Owner = a.version, in.content.owner
			c.learn(id, r)
		}
		return err
	})
}

func (c *client) touch(ctx context.Context, id int, expires time.Time) bool {
	c.round.wish(id, expires)
	in := call{method: touch, id: c.round.ids[id], expires: expires.UnixNano()}
	return c.do(ctx, in, func(ctx context.Context, _ *answer) error {
		return c.store.Touch(ctx, in.id, expires)
	})
}

func (c *client) remove(ctx context.Context, id int) bool {
	in := call{method: remove, id: c.round.ids[id]}
	return c.do(ctx, in, func(ctx context.Context, _ *answer) error {
		return c.store.Delete(ctx, in.id)
	})
}

// do makes the call, records it with its answer, and reports whether it succeeded.
func (c *client) do(ctx context.Context, in call, f func(context.Context, *answer) error) bool {
	ctx, cancel := context.WithTimeout(ctx, c.round.opts.OperationTimeout)
	defer cancel()
	op := operation{client: c.number, node: c.node, call: in}
	stop := c.round.watch(func() string {
		return fmt.Sprintf("client %d: %s", c.number, in.method)
	})
	op.began = time.Since(c.round.start)
	op.call.from = c.round.now().UnixNano()
	err := guard(func() error { return f(ctx, &op.answer) })
	op.answer.until = c.round.now().UnixNano()
	op.ended = time.Since(c.round.start)
	stop()
	if op.answer.outcome = outcomeOf(err); op.answer.outcome != done {
		op.answer.version = 0
	}
	if op.answer.outcome == unknown {
		op.answer.err = err.Error()
	}
	c.history = append(c.history, op)
	return op.answer.outcome == done
}

// guard turns a panic into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// learn keeps a content that was read or written, so that a later operation can update it.
func (c *client) learn(id int, r store.Record) {
	c.read[id] = append(c.read[id], r)
}
