package redisstore

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/backoff"
)

// pauses are waited for between the attempts to send a command. They bridge a connection
// that has just ended, not a server that is down: then the caller has its error after some
// 20 ms, where rueidis by itself would try until the context ends.
var pauses = [...]time.Duration{1 * time.Millisecond, 4 * time.Millisecond, 15 * time.Millisecond}

// send sends commands, and those that failed for a cause that may pass a few times more:
// reads, and writes that cannot have arrived.
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

// mayRepeat reports whether a command that failed may be sent again. A write may not if it
// could have arrived; nor if the server has answered, since rueidis reuses the command then.
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
