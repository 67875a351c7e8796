package linear

import (
	"context"
	"math/rand/v2"
)

// work is a client's part in a round. All clients get the same common numbers, from
// which follow the record that most of them fight for in a step and, where records
// live for moments only, the steps before which its time is up.
func (c *client) work(ctx context.Context, common *rand.Rand) {
	r := c.round
	for step := range r.opts.Steps {
		favourite, over := common.IntN(len(r.ids)), common.IntN(6) == 0
		if r.gate.pass(ctx) != nil {
			return
		}
		id := favourite
		if c.rand.IntN(6) == 0 {
			id = c.rand.IntN(len(r.ids))
		}
		switch {
		case step == 0: // something to fight for
			id = c.number % len(r.ids)
			c.create(ctx, id, c.expiry(id))
			continue
		case over && r.topic == Expiries:
			c.outlive(ctx, favourite)
		}
		draw(r.topic, c.rand).run(ctx, c, id)
	}
	// What is kept in the end is told by every node.
	if r.gate.pass(ctx) != nil {
		return
	}
	for id := range r.ids {
		c.load(ctx, id)
	}
}
