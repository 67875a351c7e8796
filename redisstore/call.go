package redisstore

import (
	"context"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// call is one exchange with a server under way.
type call struct {
	ctx     context.Context
	client  rueidis.Client
	cmd     rueidis.Completed
	cmds    rueidis.Commands // or these
	answer  rueidis.RedisResult
	answers []rueidis.RedisResult
	done    chan struct{}
}

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

func (c *call) run() {
	ctx := undated{c.ctx}
	if c.cmds != nil {
		c.answers = c.client.DoMulti(ctx, c.cmds...)
	} else {
		c.answer = c.client.Do(ctx, c.cmd)
	}
	c.done <- struct{}{}
}

// undated is a context that ends when it does and does not say so before. To a
// deadline that it knows of rueidis holds by closing the connection, on which other
// callers wait by then, where the first of them came at a quiet moment.
type undated struct{ context.Context }

func (undated) Deadline() (time.Time, bool) { return time.Time{}, false }

// wait returns when the servers have answered or ctx ends, whichever is first.
//
// rueidis alone would not always: a connection has room for a number of commands
// that wait for their answers, and once it is full, as with a server that hangs,
// the next caller waits for room whatever its context says; likewise behind
// somebody else's attempt to connect. What is left behind then ends by rueidis's
// own timeouts. Whether it was done is not known.
func (c *call) wait() (answered bool) {
	go c.run()
	select {
	case <-c.done:
		return true
	case <-c.ctx.Done():
		return false
	}
}

func newCall(ctx context.Context, client rueidis.Client) *call {
	c := calls.Get().(*call)
	c.ctx, c.client = ctx, client
	return c
}

func (c *call) free() {
	*c = call{done: c.done}
	calls.Put(c)
}

// do sends a command.
func (s *Store) do(ctx context.Context, client rueidis.Client, cmd rueidis.Completed) rueidis.RedisResult {
	c := newCall(ctx, client)
	c.cmd = cmd
	if !c.wait() {
		return rueidis.NewErrorResult(ctx.Err())
	}
	answer := c.answer
	c.free()
	return answer
}

// doMulti sends commands together.
func (s *Store) doMulti(ctx context.Context, client rueidis.Client, cmds rueidis.Commands) []rueidis.RedisResult {
	c := newCall(ctx, client)
	c.cmds = cmds
	if !c.wait() {
		answers := make([]rueidis.RedisResult, len(cmds))
		for i := range answers {
			answers[i] = rueidis.NewErrorResult(ctx.Err())
		}
		return answers
	}
	answers := c.answers
	c.free()
	return answers
}

// eval runs a script, once. The server that does not know its digest has not run
// it, so that it may be sent whole.
func (s *Store) eval(ctx context.Context, sc *script, keys, args []string) rueidis.RedisResult {
	answer := s.do(ctx, s.client, sc.byDigest(s.b, keys, args))
	if err, ok := rueidis.IsRedisErr(answer.Error()); ok && err.IsNoScript() {
		answer = s.do(ctx, s.client, sc.whole(s.b, keys, args))
	}
	return answer
}
