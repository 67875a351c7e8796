package redisstore

import (
	"context"
	"sync"

	"github.com/redis/rueidis"
)

// call is an exchange with a server that somebody waits for.
type call struct {
	ctx     context.Context
	cmds    rueidis.Commands
	single  [1]rueidis.Completed // what cmds is of where there is one command
	answers []rueidis.RedisResult
	done    chan struct{}

	trip *trip // of the line, under its lock
	left bool  // nobody waits any more
}

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// wait returns when the servers have answered or ctx ends, whichever is first.
//
// rueidis alone would not always: a connection has room for a number of commands
// that wait for their answers, and once it is full, as with a server that hangs,
// the next caller waits for room whatever its context says; likewise behind
// somebody else's attempt to connect. What is left behind then ends by rueidis's
// own timeouts. Whether it was done is not known.
func (c *call) wait(l *line) (answered bool) {
	l.join(c)
	select {
	case <-c.done:
		return true
	case <-c.ctx.Done():
		l.leave(c)
		return false
	}
}

// free lets the call be used again. One that somebody has left is not: it may yet
// be answered.
func (c *call) free() {
	*c = call{done: c.done}
	calls.Put(c)
}

// do sends a command.
func (s *Store) do(ctx context.Context, client rueidis.Client, cmd rueidis.Completed) rueidis.RedisResult {
	c := calls.Get().(*call)
	c.ctx, c.single[0] = ctx, cmd
	c.cmds = c.single[:]
	if !c.wait(s.line(client, c.cmds)) {
		return rueidis.NewErrorResult(ctx.Err())
	}
	answer := c.answers[0]
	c.free()
	return answer
}

// doMulti sends commands together.
func (s *Store) doMulti(ctx context.Context, client rueidis.Client, cmds rueidis.Commands) []rueidis.RedisResult {
	c := calls.Get().(*call)
	c.ctx, c.cmds = ctx, cmds
	if !c.wait(s.line(client, cmds)) {
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
