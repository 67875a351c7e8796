package redisstore

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/batch"
)

const (
	maxInFlight = 3   // batches on their way at once; the next one fills meanwhile
	maxCalls    = 256 // calls of a batch
)

// commands are what one caller sends, and the answers.
type commands struct {
	cmds    rueidis.Commands
	answers []rueidis.RedisResult
}

// newQueue returns a queue that sends the commands of a batch in one pipeline. rueidis
// pipelines too, but only the commands that arrive while it writes.
func newQueue(client rueidis.Client, d *direct, reads bool) *batch.Queue[commands] {
	sendBatch := func(ctx context.Context, calls []*commands) {
		var cmds rueidis.Commands
		for _, c := range calls {
			cmds = append(cmds, c.cmds...)
		}
		answers := send(ctx, client, reads, cmds)
		for _, c := range calls {
			n := len(c.cmds)
			c.answers, answers = answers[:n:n], answers[n:]
		}
	}
	unbatched := func(ctx context.Context, c *commands) (ok bool) {
		c.answers, ok = d.doMulti(ctx, reads, c.cmds)
		return ok
	}
	return &batch.Queue[commands]{Send: sendBatch, Unbatched: unbatched, MaxInFlight: maxInFlight, MaxCalls: maxCalls}
}

// queue returns the queue for the commands. The many commands of a listing get a queue of
// their own, so that no other caller waits for them. Reads and writes have different queues,
// since only reads are sent again after a connection was lost.
func (s *Store) queue(client rueidis.Client, reads bool, cmds rueidis.Commands) *batch.Queue[commands] {
	switch {
	case !s.topology.pipelines() || client != s.client || len(cmds) > 2:
		return newQueue(client, nil, reads)
	case reads:
		return s.reads
	}
	return s.writes
}

// read sends commands that may be sent again. It returns when the servers have answered or
// ctx ends.
//
// rueidis itself would not always return when ctx ends. A connection has room for a number
// of commands that wait for their answers. When a server hangs and that room is used up, the
// next caller waits for room and ignores its context; a caller that waits for another one's
// attempt to connect does so too. Commands that were given up end by rueidis's own timeouts,
// and it is not known whether the server has run them.
func (s *Store) read(ctx context.Context, client rueidis.Client, cmds rueidis.Commands) []rueidis.RedisResult {
	return s.enqueue(ctx, client, true, cmds)
}

func (s *Store) enqueue(ctx context.Context, client rueidis.Client, reads bool, cmds rueidis.Commands) []rueidis.RedisResult {
	c, ok := s.queue(client, reads, cmds).Do(ctx, commands{cmds: cmds})
	if !ok {
		c.answers = make([]rueidis.RedisResult, len(cmds))
		for i := range c.answers {
			c.answers[i] = rueidis.NewErrorResult(ctx.Err())
		}
	}
	return c.answers
}

// do sends a command. It does not send it again if the server may have received it.
func (s *Store) do(ctx context.Context, client rueidis.Client, cmd rueidis.Completed) rueidis.RedisResult {
	return s.enqueue(ctx, client, false, rueidis.Commands{cmd})[0]
}

// get is a GET of one key. A batch of them is one MGET, which costs the server and rueidis
// a fraction of as many GETs.
type get struct {
	key   string
	value []byte
	err   error
}

func (s *Store) newGets() *batch.Queue[get] {
	unbatched := func(ctx context.Context, g *get) bool {
		answer, ok := s.direct.do(ctx, true, func() rueidis.Completed { return s.b.Arbitrary("GET", g.key).Blocking() })
		if ok {
			g.value, g.err = answer.AsBytes()
		}
		return ok
	}
	return &batch.Queue[get]{Send: s.getBatch, Unbatched: unbatched, MaxInFlight: maxInFlight, MaxCalls: maxCalls}
}

// getBatched reads a key in a batch.
func (s *Store) getBatched(ctx context.Context, key string) ([]byte, error) {
	g, ok := s.gets.Do(ctx, get{key: key})
	if !ok {
		return nil, ctx.Err()
	}
	return g.value, g.err
}

func (s *Store) getBatch(ctx context.Context, calls []*get) {
	if len(calls) > 1 {
		calls = s.getMany(ctx, calls)
	}
	if len(calls) == 0 {
		return
	}
	cmds := make(rueidis.Commands, len(calls))
	for i, g := range calls {
		cmds[i] = read(s.b, "GET", g.key)
	}
	for i, answer := range send(ctx, s.client, true, cmds) {
		calls[i].value, calls[i].err = answer.AsBytes()
	}
}

// getMany returns the calls that need a GET each: MGET does not distinguish a key that does
// not exist from one that holds no string.
func (s *Store) getMany(ctx context.Context, calls []*get) (rest []*get) {
	keys := make([]string, len(calls))
	for i, g := range calls {
		keys[i] = g.key
	}
	mget := pinned(s.b.Arbitrary("MGET").Keys(keys...).Build())
	values, err := send(ctx, s.client, true, rueidis.Commands{mget})[0].ToArray()
	if isTryAgain(err) {
		return calls
	}
	for i, g := range calls {
		if g.err = err; err != nil {
			continue
		}
		if g.value, g.err = values[i].AsBytes(); g.err != nil {
			rest = append(rest, g)
		}
	}
	return rest
}

// pauses are the waits between the attempts to send a command. They bridge a connection that
// has just ended. If the server is down, the caller gets an error after about 20 ms, where
// rueidis would try until the context ends.
var pauses = [...]time.Duration{1 * time.Millisecond, 4 * time.Millisecond, 15 * time.Millisecond}

// send sends commands. It sends those that fail a few times more if a new attempt may succeed:
// reads, and writes that the server cannot have received.
func send(ctx context.Context, client rueidis.Client, reads bool, cmds rueidis.Commands) []rueidis.RedisResult {
	answers := sendOnce(ctx, client, cmds)
	for _, pause := range pauses {
		var failed []int
		for i, answer := range answers {
			if mayRepeat(answer.Error(), reads) {
				failed = append(failed, i)
			}
		}
		if len(failed) == 0 || !backoff.Pause(ctx, pause) {
			return answers
		}
		rest := make(rueidis.Commands, len(failed))
		for i, at := range failed {
			rest[i] = cmds[at]
		}
		for i, answer := range sendOnce(ctx, client, rest) {
			answers[failed[i]] = answer
		}
	}
	return answers
}

func sendOnce(ctx context.Context, client rueidis.Client, cmds rueidis.Commands) []rueidis.RedisResult {
	if len(cmds) == 1 {
		return []rueidis.RedisResult{client.Do(ctx, cmds[0])}
	}
	return client.DoMulti(ctx, cmds...)
}

// mayRepeat reports whether a command that failed may be sent again. A write may not be if
// the server could have received it, or has answered it: rueidis reuses an answered command.
func mayRepeat(err error, read bool) bool {
	switch {
	case err == nil, rueidis.IsRedisNil(err), errors.Is(err, rueidis.ErrClosing),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	if refused, ok := rueidis.IsRedisErr(err); ok {
		return read && (refused.IsLoading() || refused.IsTryAgain() || refused.IsClusterDown())
	}
	var network *net.OpError
	return read || errors.As(err, &network) && network.Op == "dial"
}

// read returns a command that [Store.read] may send again. It is sent to the primary even if
// the client sends other reads to replicas: a replica that lags behind would still return a
// session that has ended.
func read(b rueidis.Builder, name, key string, args ...string) rueidis.Completed {
	return pinned(b.Arbitrary(name).Keys(key).Args(args...).Build())
}

// pinned keeps rueidis from recycling a command that may be sent again: the old connection
// may still read it after the new one has the answer.
func pinned(cmd rueidis.Completed) rueidis.Completed { return cmd.Pin() }
