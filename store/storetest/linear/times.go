package linear

import (
	"context"
	"time"
)

// expiry returns the expiry of a record: in some hours, each time in another minute, so that a lost
// touch shows; or soon, if that is the topic.
func (c *client) expiry(id int) time.Time {
	r := c.round
	if r.topic == Expiries && c.rand.IntN(6) != 0 {
		return r.now().Add(r.unit()/2 + time.Duration(c.rand.Int64N(int64(2*r.unit())))).Truncate(time.Millisecond)
	}
	minutes := 60 + r.documents.Add(1)
	return r.now().Add(time.Duration(minutes) * time.Minute).Truncate(time.Millisecond)
}

// unit is the shortest time after which it is certain that a moment has passed.
func (r *round) unit() time.Duration {
	unit := time.Duration(r.opts.rules().slack)
	if r.shift != nil {
		return max(unit, time.Minute)
	}
	return unit
}

// outlive lets the time pass until shortly before, until, or well after the record's expiry, if
// that is near. If the clock can be moved, one client moves it while the others work.
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

// past is an expiry that has certainly passed.
func (r *round) past() time.Time { return r.now().Add(-time.Hour) }

// wish records a near expiry that a client sets.
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
