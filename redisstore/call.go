package redisstore

import (
	"context"

	"github.com/redis/rueidis"
)

func (s *Store) do(ctx context.Context, c rueidis.Client, cmd rueidis.Completed) rueidis.RedisResult {
	return c.Do(ctx, cmd)
}

func (s *Store) doMulti(ctx context.Context, c rueidis.Client, cmds rueidis.Commands) []rueidis.RedisResult {
	return c.DoMulti(ctx, cmds...)
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
