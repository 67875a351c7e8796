package linear

import (
	"context"
	"math/rand/v2"
)

// work is a client's part in a round. All clients get the same common numbers. These determine the
// record that most clients use in a step and, if records live for a short time, the steps before
// which the record's expiry passes.
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
		case step == 0: // a record for the clients to share
			id = c.number % len(r.ids)
			c.create(ctx, id, c.expiry(id))
			continue
		case over && r.topic == Expiries:
			c.outlive(ctx, favourite)
		}
		draw(r.topic, c.rand).run(ctx, c, id)
	}
	// Every node reads the final records.
	if r.gate.pass(ctx) != nil {
		return
	}
	for id := range r.ids {
		c.load(ctx, id)
	}
}
