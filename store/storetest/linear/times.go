package linear

import (
	"context"
	"time"
)

// expiry is when a record is to end: in a few hours, each time at another minute,
// so that a touch that was lost shows; or, where the topic is that, in a moment.
func (c *client) expiry(id int) time.Time {
	r := c.round
	if r.topic == Expiries && c.rand.IntN(6) != 0 {
		return r.now().Add(r.unit()/2 + time.Duration(c.rand.Int64N(int64(2*r.unit())))).Truncate(time.Millisecond)
	}
	minutes := 60 + r.documents.Add(1)
	return r.now().Add(time.Duration(minutes) * time.Minute).Truncate(time.Millisecond)
}

// unit is the shortest time after which it is known that a moment has passed.
func (r *round) unit() time.Duration {
	unit := time.Duration(r.opts.rules().slack)
	if r.shift != nil {
		return max(unit, time.Minute)
	}
	return unit
}

// outlive lets the time come at which the record is over, if it is to be in a
// moment: not quite, just, or well past it. Where the clock can be moved, one client
// does so while the others work.
func (c *client) outlive(ctx context.Context, id int) {
	r := c.round
	end := time.Unix(0, r.latest[id].Load())
	left := end.Sub(r.now()) + time.Duration(c.rand.IntN(3)-1)*r.unit()
	if left <= 0 {
		return
	}
	if r.shift != nil {
		if c.number == 0 {
			r.shift(left)
		}
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// past is an expiry that leaves no doubt.
func (r *round) past() time.Time { return r.now().Add(-time.Hour) }

// wish notes that somebody wants the record to end then, if that is in a moment.
func (r *round) wish(id int, expires time.Time) {
	if expires.Sub(r.now()) > 5*r.unit() {
		return
	}
	for {
		old := r.latest[id].Load()
		if expires.UnixNano() <= old || r.latest[id].CompareAndSwap(old, expires.UnixNano()) {
			return
		}
	}
}
