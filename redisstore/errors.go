package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// hints say what to do about a server's errors. Redis 6.2 wraps the error of a command in a
// script into another text, so a word may be anywhere in it.
var hints = []struct{ word, hint string }{
	{"OOM command", "the server is out of memory (maxmemory): raise it, or let it end the sessions that would end next (maxmemory-policy volatile-ttl)"},
	{"WRONGTYPE", "a key of the store's own holds something else: choose another Config.Prefix"},
	{"READONLY", "the server is a read-only replica: connect to the primary, or through Sentinel"},
	{"MISCONF", "the server refuses writes because it cannot save to disk"},
	{"NOREPLICAS", "the server refuses writes because it has too few replicas (min-replicas-to-write)"},
	{"MASTERDOWN", "the server is a replica that has lost its primary"},
	{"WRONGPASS", "the server refuses the user name or password: see rueidis.ClientOption"},
	{"NOAUTH", "the server wants a password: set rueidis.ClientOption.Password"},
	{"NOPERM", "the user may not do this: allow it read, write, scripting, INFO and SCAN on the store's keys (ACL SETUSER)"},
	{"LOADING", "the server is still loading its data"},
	{"CLUSTERDOWN", "the cluster does not serve this slot"},
	{"BUSY", "another script blocks the server"},
}

// wrap adds to err what failed, and what to do about it. If ctx has ended it returns ctx's
// error.
func (s *Store) wrap(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case rueidis.IsRedisNil(err):
		return store.ErrNotFound
	case errors.Is(err, store.ErrClosed), s.closed.Load() && errors.Is(err, rueidis.ErrClosing):
		return store.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
			<-ctx.Done() // ends at any moment
			return ctx.Err()
		}
		// rueidis closes the connection at the deadline of another caller.
		return fmt.Errorf("redisstore: %s: the connection was closed because the deadline of another caller has passed (%v)", what, err)
	case errors.Is(err, rueidis.ErrClosing):
		return fmt.Errorf("redisstore: %s: Config.Client is closed, or has no server: %w", what, err)
	}
	if refused, ok := rueidis.IsRedisErr(err); ok {
		for _, h := range hints {
			if !strings.Contains(refused.Error(), h.word) {
				continue
			}
			if h.word == "OOM command" {
				return fmt.Errorf("%w: redisstore: %s: %s: %w", store.ErrFull, what, h.hint, err)
			}
			return fmt.Errorf("redisstore: %s: %s: %w", what, h.hint, err)
		}
	}
	return fmt.Errorf("redisstore: %s: %w", what, err)
}

func isNoScript(err error) bool {
	refused, ok := rueidis.IsRedisErr(err)
	return ok && refused.IsNoScript()
}

func isWrongType(err error) bool {
	refused, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(refused.Error(), "WRONGTYPE")
}

// isTryAgain reports whether a node has only some of several keys, while their slot moves to
// another.
func isTryAgain(err error) bool {
	refused, ok := rueidis.IsRedisErr(err)
	return ok && refused.IsTryAgain()
}

// unanswered reports whether err is an error other than one that the server has answered.
func unanswered(err error) bool {
	_, ok := rueidis.IsRedisErr(err)
	return err != nil && !ok
}

// isAbsent reports whether err says that there is no session under the key, be it nothing or
// another value.
func isAbsent(err error) bool {
	return rueidis.IsRedisNil(err) || errors.Is(err, errForeign)
}
