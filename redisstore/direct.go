package redisstore

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// direct are connections for calls that are not batched. Such a connection is used by one
// call at a time, which writes and reads in the caller's goroutine. The connection that all
// batches share has a goroutine that writes and one that reads, and rueidis does not always
// return when a context ends: a call over it needs three more goroutines than the caller's.
//
// The end of the call's context closes the connection, which interrupts the call. Nearly all
// calls are shorter than watchAfter, and their contexts are not watched at all: that takes
// longer than the rest of what the store does for a call.
//
// Only clients of a single server have direct connections. Sentinel's client moves its
// shared connection to another server, and would not move these. A store that was opened
// reads over the connection that reports changes.
type direct struct {
	client rueidis.Client
	b      rueidis.Builder

	mu      sync.Mutex
	idle    []*directConn
	busy    []*directConn
	all     int       // connections, with those that are being made
	called  time.Time // when the last call needed a connection
	timer   *time.Timer
	ticking bool
	closed  bool
	running sync.WaitGroup
}

// directConn is a connection. Its fields are guarded by mu of direct.
type directConn struct {
	rueidis.DedicatedClient
	release func()
	used    time.Time       // when the server last answered
	ctx     context.Context // of the call
	began   time.Time       // when the call began
	stop    func() bool     // nil: the context is not watched yet
}

const (
	// maxDirect is the number of connections. As many calls may be in flight before the
	// others are batched.
	maxDirect = maxInFlight

	// maxIdle is how long after its last answer a connection takes a call. Nobody reads an
	// idle connection, so a later call could find that the server has closed it, and a
	// write that fails so must not be sent again. Calls that come more rarely use the
	// shared connection, which rueidis always reads.
	maxIdle = 20 * time.Millisecond

	// watchAfter is how long a call may take before its context is watched, or twice that.
	watchAfter = 10 * time.Millisecond

	// checkTimeout bounds the making of a connection.
	checkTimeout = time.Second
)

// take returns an idle connection, or nil. If calls follow each other closely and there is
// no connection for them, it has one made for a later call.
func (d *direct) take(ctx context.Context) *directConn {
	if d == nil {
		return nil
	}
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	often := now.Sub(d.called) < maxIdle
	d.called = now
	n := len(d.idle)
	switch {
	case n == 0:
		if often && d.all < maxDirect && !d.closed {
			d.all++
			go d.dial() // not counted in running: rueidis may wait without an end for room in its pool
		}
		return nil
	case now.Sub(d.idle[n-1].used) >= maxIdle && !often:
		return nil
	}
	c := d.idle[n-1]
	d.idle = d.idle[:n-1]
	if now.Sub(c.used) >= maxIdle {
		d.running.Go(func() { d.check(c) })
		return nil
	}
	d.begin(c, ctx, now)
	return c
}

// begin records that a connection is used by a call. The caller holds mu.
func (d *direct) begin(c *directConn, ctx context.Context, now time.Time) {
	c.ctx, c.began = ctx, now
	d.busy = append(d.busy, c)
	if d.ticking {
		return
	}
	d.ticking = true
	if d.timer == nil {
		d.timer = time.AfterFunc(watchAfter, d.watch)
	} else {
		d.timer.Reset(watchAfter)
	}
}

// watch begins to watch the contexts of calls that take long.
func (d *direct) watch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, c := range d.busy {
		if c.stop == nil && now.Sub(c.began) >= watchAfter {
			c.stop = context.AfterFunc(c.ctx, c.Close)
		}
	}
	if d.ticking = len(d.busy) > 0 || now.Sub(d.called) < watchAfter; d.ticking {
		d.timer.Reset(watchAfter)
	}
}

// end takes a connection back, or gives it up if it has failed.
func (d *direct) end(c *directConn, failed bool) {
	now := time.Now()
	d.mu.Lock()
	for i := range d.busy {
		if d.busy[i] == c {
			d.busy = slices.Delete(d.busy, i, i+1)
			break
		}
	}
	// If Close has begun, it gives the connection up. If release did so before, another user
	// of the client could get the connection, and lose it.
	closing := c.stop != nil && !c.stop()
	keep := !failed && !closing && !d.closed
	c.ctx, c.stop, c.used = nil, nil, now
	if keep {
		d.idle = append(d.idle, c)
	} else {
		d.all--
	}
	d.mu.Unlock()
	if !keep && !closing {
		c.release()
	}
}

// dial makes a connection.
func (d *direct) dial() {
	client, release := d.client.Dedicate()
	d.check(&directConn{DedicatedClient: client, release: release})
}

// check puts a connection back if the server answers.
func (d *direct) check(c *directConn) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	d.mu.Lock()
	d.begin(c, ctx, time.Now())
	d.mu.Unlock()
	d.end(c, c.Do(context.Background(), d.b.Arbitrary("PING").Blocking()).NonRedisError() != nil)
}

// close gives up the connections. Those in use follow when their call returns.
func (d *direct) close() {
	if d == nil {
		return
	}
	d.mu.Lock()
	d.closed = true
	idle := d.idle
	d.idle, d.all = nil, d.all-len(d.idle)
	d.mu.Unlock()
	for _, c := range idle {
		c.release()
	}
	d.running.Wait()
}

// do sends a command over a direct connection. The command is a blocking one to rueidis,
// which closes the connection of such a command at once, and waits for the answer to others.
// It returns false if the shared connection has to send the command: there is no direct one,
// or it may be sent again and should be.
func (d *direct) do(ctx context.Context, reads bool, build func() rueidis.Completed) (answer rueidis.RedisResult, ok bool) {
	c := d.take(ctx)
	if c == nil {
		return answer, false
	}
	// Without Done and a deadline, rueidis sends and receives in this goroutine.
	answer = c.Do(context.WithoutCancel(ctx), build())
	d.end(c, answer.NonRedisError() != nil)
	return judge(ctx, reads, answer)
}

// doMulti is do for some commands, which need not be blocking.
func (d *direct) doMulti(ctx context.Context, reads bool, cmds rueidis.Commands) (answers []rueidis.RedisResult, ok bool) {
	c := d.take(ctx)
	if c == nil {
		return nil, false
	}
	blocking := make(rueidis.Commands, len(cmds))
	for i := range cmds {
		blocking[i] = d.b.Arbitrary(cmds[i].Commands()...).Blocking()
	}
	answers = c.DoMulti(context.WithoutCancel(ctx), blocking...)
	d.end(c, slices.ContainsFunc(answers, func(a rueidis.RedisResult) bool { return a.NonRedisError() != nil }))
	for i := range answers {
		if answers[i], ok = judge(ctx, reads, answers[i]); !ok {
			return nil, false
		}
	}
	return answers, true
}

// judge returns false for an answer after which the command is sent again.
func judge(ctx context.Context, reads bool, answer rueidis.RedisResult) (rueidis.RedisResult, bool) {
	err := answer.Error()
	switch {
	case err == nil:
		return answer, true
	case answer.NonRedisError() != nil && ctx.Err() != nil:
		return rueidis.NewErrorResult(ctx.Err()), true
	}
	return answer, !isRedirect(err) && !mayRepeat(err, reads)
}

// isRedirect reports whether the server has sent the client to another one. It has not run
// the command.
func isRedirect(err error) bool {
	refused, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(refused.Error(), "REDIRECT")
}
