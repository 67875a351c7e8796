package redisstore

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

//go:embed lua
var luaFiles embed.FS

// The scripts of both layouts. Each file says what its script does, which keys and arguments
// it takes, and what it returns.
var (
	indexAddScript     = newScript("outcomes", "index", "index_add")
	indexPageScript    = newScript("index_page")
	indexTrimScript    = newScript("outcomes", "index", "index_trim")
	indexRestoreScript = newScript("index_restore")
)

// scripts are the writes of a layout. Each is atomic, and includes the owner's index if that
// is on the session's server. There is no delete if scripts cannot read the owner.
type scripts struct{ create, update, updateMany, touch, delete script }

var nativeScripts = scripts{
	create:     newScript("outcomes", "index", "put", "native/put", "native/create"),
	update:     newScript("native/update_fast", "outcomes", "index", "put", "foreign", "native/header", "native/put", "native/update"),
	updateMany: newScript("outcomes", "index", "put", "native/header", "native/update_many"),
	touch:      newScript("outcomes", "native/header", "native/touch"),
	delete:     newScript("outcomes", "index", "native/header", "native/delete"),
}

var expressScripts = scripts{
	create:     newScript("outcomes", "index", "put", "express/put", "express/create"),
	update:     newScript("express/update_fast", "outcomes", "index", "put", "foreign", "express/put", "express/update"),
	updateMany: newScript("outcomes", "put", "express/update_many"),
	touch:      newScript("outcomes", "express/touch"),
}

// What a script returns, or puts in front of the index's entries that are due: see
// lua/outcomes.lua.
const (
	missing   = 0
	conflict  = 1
	unlisted  = 2
	done      = 3
	unbatched = 4
	exists    = 5
)

// The places of the arguments of the scripts create and update.
const (
	argValue       = iota
	argExpiry      // see layout.expiry
	argID          // the first of three for index_add.lua
	argScore       //
	argDueUntil    // the score up to which entries of the index are due
	argVersion     // the one to replace
	argOwner       // see layout.encode
	argListed      // "1" if the index has been written
	argIndexPrefix // "" if indexes are on other servers
	argCountPrefix
	argHeaderEnd // see headerEnd; only for the native layout
	argsOfWrite  // how many there are
)

// script is run by its digest. It is sent in full if the server does not have it: at first,
// after SCRIPT FLUSH, and after a failover.
type script struct{ text, sha string }

// newScript joins Lua files: first those with the functions that the last one calls.
func newScript(files ...string) script {
	var text strings.Builder
	for _, name := range files {
		file, err := luaFiles.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err) // a name above is wrong
		}
		text.Write(file)
	}
	sum := sha1.Sum([]byte(text.String()))
	return script{text.String(), hex.EncodeToString(sum[:])}
}

func (s *script) byDigest(b rueidis.Builder, keys, args []string) rueidis.Completed {
	return b.Evalsha().Sha1(s.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}

// blocking is byDigest for a direct connection. Keys are arguments like others there: rueidis
// would compute the slot of a Cluster that each is in.
func (s *script) blocking(b rueidis.Builder, keys, args []string) rueidis.Completed {
	return b.Arbitrary("EVALSHA", s.sha, number(int64(len(keys)))).Args(keys...).Args(args...).Blocking()
}

func (s *script) inFull(b rueidis.Builder, keys, args []string) rueidis.Completed {
	return b.Eval().Script(s.text).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}

// run runs the script once. A server that does not know the digest has not run the script,
// so sending it in full does not run it twice.
func (s *script) run(b rueidis.Builder, keys, args []string, send func(rueidis.Completed) rueidis.RedisResult) rueidis.RedisResult {
	answer := send(s.byDigest(b, keys, args))
	if isNoScript(answer.Error()) {
		answer = send(s.inFull(b, keys, args))
	}
	return answer
}

// eval runs a script once.
func (s *Store) eval(ctx context.Context, sc *script, keys, args []string) rueidis.RedisResult {
	return sc.run(s.b, keys, args, func(cmd rueidis.Completed) rueidis.RedisResult { return s.do(ctx, s.client, cmd) })
}

// loadScripts sends the scripts to a single server, so that their first calls take one round
// trip. A server that is slow or refuses gets them when they run.
func (s *Store) loadScripts(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	own := s.layout.scripts()
	var cmds rueidis.Commands
	for _, sc := range []*script{
		&own.create, &own.update, &own.updateMany, &own.touch, &own.delete,
		&indexAddScript, &indexPageScript, &indexTrimScript, &indexRestoreScript,
	} {
		if sc.text != "" {
			cmds = append(cmds, pinned(s.b.ScriptLoad().Script(sc.text).Build()))
		}
	}
	s.read(ctx, s.client, cmds)
}
