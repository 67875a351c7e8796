package linear

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/storetest"
)

// round is a history while it is recorded.
type round struct {
	opts  Options
	topic Topic
	nodes []store.Store
	now   func() time.Time
	shift func(time.Duration) // Advance, or nil
	ids   []string
	start time.Time
	gate  *gate
	abort context.CancelCauseFunc

	documents atomic.Int64   // how many were written
	latest    []atomic.Int64 // by id: the latest of the near expiries that a client has set
}

// numbers returns a source of random numbers, the same for the same seed, topic, round and stream.
// All clients share stream 0.
func (o Options) numbers(topic Topic, number, stream int) *rand.Rand {
	at := uint64(slices.Index(Topics(), topic))
	return rand.New(rand.NewPCG(o.Seed, at<<40|uint64(number)<<16|uint64(stream)))
}

// record runs the clients and returns their operations, sorted by their beginning.
func record(ctx context.Context, opened storetest.Opened, o Options, topic Topic, number int, prefix string) ([]operation, error) {
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	r := &round{
		opts: o, topic: topic,
		nodes: append([]store.Store{opened.Store}, opened.Peers...),
		now:   opened.Now, shift: opened.Advance,
		start: time.Now(),
		gate:  newGate(o.Clients),
		abort: abort,
	}
	if r.now == nil {
		r.now = time.Now
	}
	for i := range o.IDs {
		r.ids = append(r.ids, fmt.Sprintf("%s-%s-%d-%d", prefix, topic, number, i))
	}
	r.latest = make([]atomic.Int64, o.IDs)

	clients := make([]*client, o.Clients)
	var working, disturbing sync.WaitGroup
	for i := range clients {
		clients[i] = newClient(r, i, number)
		working.Go(func() { clients[i].work(ctx, o.numbers(topic, number, 0)) })
	}
	quiet, calm := context.WithCancel(ctx)
	defer calm()
	if o.Disturb != nil {
		disturbing.Go(func() { o.Disturb(quiet) })
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		working.Wait()
		calm()
		disturbing.Wait()
	}()
	select {
	case <-finished:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r.clean(ctx)
	return r.collect(clients), nil
}

// collect joins the clients' histories. An operation without an answer may take effect until the
// end of the round.
func (r *round) collect(clients []*client) []operation {
	var all []operation
	for _, c := range clients {
		all = append(all, c.history...)
	}
	end, until := time.Since(r.start)+1, r.now().UnixNano()
	for i := range all {
		if all[i].answer.outcome == unknown {
			all[i].ended, all[i].answer.until = end, until
		}
	}
	slices.SortStableFunc(all, func(a, b operation) int { return cmp.Compare(a.began, b.began) })
	return all
}

// clean deletes the round's records, so that the store has room for later rounds.
func (r *round) clean(ctx context.Context) {
	for _, id := range r.ids {
		ctx, cancel := context.WithTimeout(ctx, r.opts.OperationTimeout)
		_ = r.nodes[0].Delete(ctx, id)
		cancel()
	}
}

// errHung says that an operation did not return when its context ended.
var errHung = errors.New("did not return when its context ended")

// watch ends the round if an operation does not return long after its deadline.
func (r *round) watch(what func() string) (stop func() bool) {
	return time.AfterFunc(r.opts.OperationTimeout+5*time.Second, func() {
		r.abort(fmt.Errorf("%s %w", what(), errHung))
	}).Stop
}
