package redisstore

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"

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

// scripts are the writes of a layout, each atomic, index included. All take the
// session's key first and, on a single server and if there is an owner to be
// listed, the key of its index second. The arguments of create and swap are
//
//	1 the value  2 the lifetime  3 id  4 score  5 up to which score entries are due
//	6 the version to replace  7 owner  8 "1" if the index has been written
//
// and of touch the lifetime.
//
// The script swaps is swap for many sessions, in the order of the keys, whose owners'
// indexes are left as they are: for each it takes the arguments 1, 2, 6 and 7. It answers
// which of them were not done, by their places from 1 on, each with changed or apart. None
// keeps the others from being done.
type scripts struct{ create, swap, swaps, touch script }

// listing is called before anything else is written: it fails where something
// else is kept under the index's key. A score only grows here, so that no entry
// is due before its session is over.
const listing = `
local function list(key, id, score, due)
	redis.call('ZADD', key, 'GT', score, id)
	local r = redis.call('ZRANGEBYSCORE', key, '-inf', due, 'WITHSCORES', 'LIMIT', 0, 8)
	table.insert(r, 1, 3)
	return r
end`

var listScript = newScript(listing + `
return list(KEYS[1], ARGV[1], ARGV[2], ARGV[3])`)

// swapsOf is the script swaps of a layout, whose conditions set r for a session of which w
// is kept: to an outcome, or to what the last command answered. Where MGET finds
// nothing, there may be something that is no string.
func swapsOf(functions, conditions string) script {
	return newScript(functions + `
local pcall, sub, left = redis.pcall, string.sub, {}
for i, w in ipairs(redis.call('MGET', unpack(KEYS))) do
	local a = 4 * i
	local key, value, lifetime, r = KEYS[i], ARGV[a - 3], ARGV[a - 2]
	if not w then r = 4
` + conditions + `
	end
	if type(r) == 'table' then r = r.err and 4 or 3 end
	if r ~= 3 then
		left[#left + 1] = i
		left[#left + 1] = r
	end
end
return left`)
}

// nativeVersion is a function: the version in a value, nil if there is none, as in
// parseHeader.
var nativeVersion = `
local function version(v)
	local hex = string.match(v, '^n1:(` + strings.Repeat("[0-9a-f]", 16) + `):` + strings.Repeat("%d", 15) + `:')
	return hex ~= '0000000000000000' and hex or nil
end`

var setNative = listing + isForeign + nativeVersion + `
local function set(listed)
	local r = listed and list(KEYS[2], ARGV[3], ARGV[4], ARGV[5]) or 3
	if ARGV[2] == '0' then redis.call('SET', KEYS[1], ARGV[1])
	elseif ARGV[2] == '-1' then redis.call('DEL', KEYS[1])
	else redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]) end
	return r
end`

// The owner's place is from 37 on, of the expiry from 21 on, for SETRANGE 20. PEXPIREAT comes first since a server that is out of
// memory lets it through, and then the rest of the script; it removes the key if
// the time has passed.
var nativeScripts = scripts{
	create: newScript(setNative + `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return set(KEYS[2])`),
	swap: newScript(setNative + `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local h = redis.pcall('GETRANGE', KEYS[1], 0, 35 + #ARGV[7])
if type(h) ~= 'string' then h = '' end
if not (version(h) == ARGV[6] or not version(h) and foreign(KEYS[1], ARGV[6])) then return 1 end
local moves = string.sub(h, 37) ~= ARGV[7] and ARGV[7] ~= '0:'
if moves and not KEYS[2] and ARGV[8] ~= '1' then return 2 end
return set(moves and KEYS[2])`),
	swaps: swapsOf(nativeVersion, `
	elseif (version(w) or sub(redis.sha1hex(w), 1, 16)) ~= ARGV[a - 1] then r = 1
	elseif sub(w, 37, 36 + #ARGV[a]) ~= ARGV[a] and ARGV[a] ~= '0:' then r = 4
	elseif lifetime == '0' then r = pcall('SET', key, value)
	elseif lifetime == '-1' then r = pcall('DEL', key) == 1 and 3 or 4
	else r = pcall('SET', key, value, 'PXAT', lifetime)`),
	touch: newScript(nativeVersion + `
local h = redis.pcall('GETRANGE', KEYS[1], 0, 35)
if type(h) ~= 'string' or not version(h) then return 0 end
if ARGV[1] == '0' then
	redis.call('PERSIST', KEYS[1])
else
	redis.call('PEXPIREAT', KEYS[1], ARGV[1])
	if redis.call('EXISTS', KEYS[1]) == 0 then return 3 end
end
redis.call('SETRANGE', KEYS[1], 20, string.format('%015d', ARGV[1]))
return 3`),
}

const setExpress = listing + isForeign + `
local function set()
	local r = KEYS[2] and list(KEYS[2], ARGV[3], ARGV[4], ARGV[5]) or 3
	if ARGV[2] == '' then redis.call('SET', KEYS[1], ARGV[1])
	elseif ARGV[2] == '0' then redis.call('DEL', KEYS[1])
	else redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
	return r
end`

var expressScripts = scripts{
	create: newScript(setExpress + `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return set()`),
	swap: newScript(setExpress + `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if not foreign(KEYS[1], ARGV[6]) then return 1 end
return set()`),
	swaps: swapsOf("", `
	elseif sub(redis.sha1hex(w), 1, 16) ~= ARGV[a - 1] then r = 1
	elseif lifetime == '' then r = pcall('SET', key, value)
	elseif lifetime == '0' then r = pcall('DEL', key) == 1 and 3 or 4
	else r = pcall('SET', key, value, 'EX', lifetime)`),
	touch: newScript(`
if ARGV[1] ~= '' then return 3 * redis.call('EXPIRE', KEYS[1], ARGV[1]) end
redis.call('PERSIST', KEYS[1])
return 3 * redis.call('EXISTS', KEYS[1])`),
}
