package redisstore

import (
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// layout is how a session lies in Redis.
type layout interface {
	// reads appends the commands that read the session under the key.
	reads(cmds rueidis.Commands, key string) rueidis.Commands
	// record makes a record of their answers. With [errForeign] comes one that is there
	// and makes no sense.
	record(id string, answers []rueidis.RedisResult) (store.Record, error)
	// lists is what reads a session beside GET when an owner's are listed by a script;
	// "GET" if nothing does. listed makes a record of the answers.
	lists() string
	listed(id string, values []rueidis.RedisMessage) (store.Record, error)
	// owner is whose session a value is.
	owner(value []byte) string
	// value is what is kept for r, its version, and the owner as scripts compare
	// it.
	value(r store.Record) (value string, v store.Version, owner string)
	// lifetime is the argument of scripts that stands for an expiry.
	lifetime(expires time.Time) string
	// scripts swap, create and touch a value.
	scripts() *scripts
}

// maxMilli is what stands for "never" in an owner's index, and the last expiry
// that is told from it, in the year 33658.
const maxMilli = 999_999_999_999_999

// milli is an expiry in milliseconds since 1970, between 1 and maxMilli.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return maxMilli
	}
	return max(1, min(t.UnixMilli(), maxMilli))
}

// read is a command that [Store.read] may send again, and that goes to the primary even if the client sends reads to replicas: what was ended
// must not be answered because a replica lags behind.
func read(b rueidis.Builder, name, key string, args ...string) rueidis.Completed {
	return pinned(b.Arbitrary(name).Keys(key).Args(args...).Build())
}

// pinned keeps rueidis from recycling a command that may be sent again: the old
// connection may still be reading it when the new one has its answer.
func pinned(cmd rueidis.Completed) rueidis.Completed { return cmd.Pin() }
