package redisstore

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/batch"
)

const (
	maxInFlight = 3   // on their way at once: while some are, the next is got ready
	maxCalls    = 256 // calls of a trip
)

// exchange is some commands, and what a server answers.
type exchange struct {
	cmds    rueidis.Commands
	answers []rueidis.RedisResult
}

// exchanges is a line whose calls are sent as they are, at once. rueidis sends together
// by itself as well, but only what comes while it is writing.
func exchanges(client rueidis.Client, reads bool) *batch.Queue[exchange] {
	exchangeAll := func(ctx context.Context, all []*exchange) {
		var cmds rueidis.Commands
		for _, e := range all {
			cmds = append(cmds, e.cmds...)
		}
		answers := send(ctx, client, reads, cmds)
		for _, e := range all {
			n := len(e.cmds)
			e.answers, answers = answers[:n:n], answers[n:]
		}
	}
	return &batch.Queue[exchange]{Send: exchangeAll, MaxInFlight: maxInFlight, MaxCalls: maxCalls}
}

// line is the one that the commands stand in. In a Cluster, where commands that go
// together wait for the slowest server, each has one to itself; and so have the many
// of a listing. Reads and writes stand in lines of their own, since only reads are sent
// again after a lost connection.
func (s *Store) line(client rueidis.Client, reads bool, cmds rueidis.Commands) *batch.Queue[exchange] {
	switch {
	case s.cluster || client != s.client || len(cmds) > 2:
		return exchanges(client, reads)
	case reads:
		return s.reads
	}
	return s.writes
}

// read sends commands together that may be sent again. It returns when the servers have answered or ctx
// ends, whichever is first.
//
// rueidis alone would not always: a connection has room for a number of commands
// that wait for their answers, and once it is full, as with a server that hangs,
// the next caller waits for room whatever its context says; likewise behind
// somebody else's attempt to connect. What is left behind then ends by rueidis's
// own timeouts. Whether it was done is not known.
func (s *Store) read(ctx context.Context, client rueidis.Client, cmds rueidis.Commands) []rueidis.RedisResult {
	return s.exchange(ctx, client, true, cmds)
}

func (s *Store) exchange(ctx context.Context, client rueidis.Client, reads bool, cmds rueidis.Commands) []rueidis.RedisResult {
	e, ok := s.line(client, reads, cmds).Do(ctx, exchange{cmds: cmds})
	if !ok {
		e.answers = make([]rueidis.RedisResult, len(cmds))
		for i := range e.answers {
			e.answers[i] = rueidis.NewErrorResult(ctx.Err())
		}
	}
	return e.answers
}

// do sends a command, and not again if it may have arrived.
func (s *Store) do(ctx context.Context, client rueidis.Client, cmd rueidis.Completed) rueidis.RedisResult {
	return s.exchange(ctx, client, false, rueidis.Commands{cmd})[0]
}

// eval runs a script, once.
func (s *Store) eval(ctx context.Context, sc *script, keys, args []string) rueidis.RedisResult {
	return sc.run(s.b, keys, args, func(cmd rueidis.Completed) rueidis.RedisResult { return s.do(ctx, s.client, cmd) })
}
