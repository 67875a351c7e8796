package redisstore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"time"

	"github.com/redis/rueidis"
)

// What a script answers, alone or in front of the entries of the owner's index
// that are due.
const (
	gone     = 0 // no session, or for a creation: there is one
	changed  = 1 // another version
	unlisted = 2 // the owner would change: write the index first
	done     = 3
	apart    = 4 // not done together with others: try by itself
)

// script runs by its digest, and is sent whole where the server does not have it:
// at first, after SCRIPT FLUSH, and on a replica that took over.
type script struct{ text, sha string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text))
	return script{text, hex.EncodeToString(sum[:])}
}

func (s *script) byDigest(b rueidis.Builder, keys, args []string) rueidis.Completed {
	return b.Evalsha().Sha1(s.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}

// introduce lets the server know the scripts, so that not each first call of one takes a
// round trip more. One that is slow or refuses gets them when they are run, and so do a
// Cluster's nodes, to some of which nothing else is sent.
func (s *Store) introduce(ctx context.Context) {
	if s.cluster {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	own := s.layout.scripts()
	var cmds rueidis.Commands
	for _, sc := range []*script{&own.create, &own.swap, &own.swaps, &own.touch, &own.remove, &listScript, &pageScript, &settleScript, &relistScript} {
		if sc.text != "" {
			cmds = append(cmds, pinned(s.b.ScriptLoad().Script(sc.text).Build()))
		}
	}
	s.read(ctx, s.client, cmds)
}

// run sends the script, and runs it once: the server that does not know its digest has
// not run it, so that it may be sent whole.
func (s *script) run(b rueidis.Builder, keys, args []string, send func(rueidis.Completed) rueidis.RedisResult) rueidis.RedisResult {
	answer := send(s.byDigest(b, keys, args))
	if err, ok := rueidis.IsRedisErr(answer.Error()); ok && err.IsNoScript() {
		answer = send(s.whole(b, keys, args))
	}
	return answer
}

func (s *script) whole(b rueidis.Builder, keys, args []string) rueidis.Completed {
	return b.Eval().Script(s.text).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}
