package redisstore

import "strings"

// scripts are the writes of a layout, each atomic, index included. All take the
// session's key first and, if it is on the same server and there is an owner to be
// listed, the key of its index second and of the index's count third. The arguments of
// create and swap are
//
//	1 the value  2 the lifetime  3 id  4 score  5 up to which score entries are due
//	6 the version to replace  7 owner  8 "1" if the index has been written
//	9 and 10 what the keys of indexes and of their counts begin with, if those are on the
//	same server, or ""
//
// of touch the lifetime, and of remove 3, 9 and 10 of these.
//
// The script swaps is swap for many sessions, in the order of the keys, which are not
// listed: for each it takes the arguments 1, 2, 6 and 7, and at the end once 9, 10 and the
// length of what comes before the id in a key. It answers which of them were not done, by
// their places from 1 on, each with changed or apart. None keeps the others from being done.
type scripts struct{ create, swap, swaps, touch, remove script }

// listing is called before anything else is written. A score only grows here, so that no
// entry is due before its session is over. Beside the index is kept how many entries it
// has, by which a reader notices that the index was lost, though somebody may have begun
// it anew. What else is kept under the index's key is no reason to keep a user out: it is
// replaced, and counts as a loss.
const listing = `
local function list(key, count, id, score, due)
	local kind = redis.call('TYPE', key).ok
	if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', key) end
	if redis.call('ZADD', key, 'GT', score, id) == 1 and type(redis.pcall('INCR', count)) ~= 'number' then
		redis.call('SET', count, '-1')
	end
	local r = redis.call('ZRANGEBYSCORE', key, '-inf', due, 'WITHSCORES', 'LIMIT', 0, 8)
	table.insert(r, 1, 3)
	return r
end`

// unlisting takes entries out of an index, with their count.
const unlisting = `
local function uncount(count, n)
	local left = redis.pcall('DECRBY', count, n)
	if type(left) == 'number' and left <= 0 then redis.call('DEL', count) end
end
local function unlist(key, count, id)
	if redis.pcall('ZREM', key, id) == 1 then uncount(count, 1) end
end`

var listScript = newScript(listing + `
return list(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])`)

// putting writes a value with what SET takes besides. A server that is out of memory
// refuses that, also where it would make room, unless the script has removed something.
const putting = `
local function put(key, value, ...)
	local r = redis.pcall('SET', key, value, ...)
	if r.err and string.find(r.err, 'OOM') and #value < redis.call('STRLEN', key) then
		redis.call('DEL', key)
		r = redis.pcall('SET', key, value, ...)
	end
	return r
end
local function mustPut(...)
	if put(...).err then redis.call('SET', ...) end
end`

// swapsOf is the script swaps of a layout, whose conditions set r for a session of which w
// is kept: to an outcome, or to what the last command answered. Where MGET finds
// nothing, there may be something that is no string.
func swapsOf(functions, conditions string) script {
	return newScript(functions + putting + `
local pcall, sub, left = redis.pcall, string.sub, {}
local indexes, counts, before = ARGV[#ARGV - 2], ARGV[#ARGV - 1], ARGV[#ARGV]
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

// nativeHeader are functions: the version in a value, nil if there is none, as in
// parseHeader; and the owner in the value of a key that has a version. The owner's place
// is from 37 on.
var nativeHeader = `
local function version(v)
	local hex = string.match(v, '^n1:(` + strings.Repeat("[0-9a-f]", 16) + `):` + strings.Repeat("%d", 15) + `:')
	return hex ~= '0000000000000000' and hex or nil
end
local function owner(key)
	local n = string.match(redis.call('GETRANGE', key, 36, 46), '^(%d+):')
	return n and redis.call('GETRANGE', key, 37 + #n, 36 + #n + n) or ''
end`

var setNative = listing + unlisting + putting + isForeign + nativeHeader + `
local function set(listed)
	local r = listed and list(KEYS[2], KEYS[3], ARGV[3], ARGV[4], ARGV[5]) or 3
	if ARGV[2] == '0' then mustPut(KEYS[1], ARGV[1])
	elseif ARGV[2] == '-1' then redis.call('DEL', KEYS[1])
	else mustPut(KEYS[1], ARGV[1], 'PXAT', ARGV[2]) end
	return r
end`

// The place of the expiry is from 21 on, for SETRANGE 20. PEXPIREAT comes first since a
// server that is out of memory lets it through, and then the rest of the script; it
// removes the key if the time has passed. So does ZREM, by which a session leaves its
// owner's index as it changes hands.
var nativeScripts = scripts{
	create: newScript(setNative + `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return set(KEYS[2])`),
	swap: newScript(setNative + `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local h = redis.pcall('GETRANGE', KEYS[1], 0, 35 + #ARGV[7])
if type(h) ~= 'string' then h = '' end
local v = version(h)
if not (v == ARGV[6] or not v and foreign(KEYS[1], ARGV[6])) then return 1 end
local other = string.sub(h, 37) ~= ARGV[7]
local moves = other and ARGV[7] ~= '0:'
if moves and not KEYS[2] and ARGV[8] ~= '1' then return 2 end
if v and other and ARGV[9] ~= '' then
	local o = owner(KEYS[1])
	if o ~= '' then unlist(ARGV[9] .. o, ARGV[10] .. o, ARGV[3]) end
end
return set(moves and KEYS[2])`),
	swaps: swapsOf(unlisting+nativeHeader, `
	elseif (version(w) or sub(redis.sha1hex(w), 1, 16)) ~= ARGV[a - 1] then r = 1
	elseif sub(w, 37, 36 + #ARGV[a]) ~= ARGV[a] and ARGV[a] ~= '0:' then r = 4
	else
		local n = version(w) and string.match(w, '^(%d+):', 37)
		if ARGV[a] == '0:' and n and n ~= '0' and indexes ~= '' then
			local o = sub(w, 38 + #n, 37 + #n + n)
			unlist(indexes .. o, counts .. o, sub(key, before + 1))
		end
		if lifetime == '0' then r = put(key, value)
		elseif lifetime == '-1' then r = pcall('DEL', key) == 1 and 3 or 4
		else r = put(key, value, 'PXAT', lifetime) end`),
	touch: newScript(nativeHeader + `
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
	remove: newScript(unlisting + nativeHeader + `
local h = redis.pcall('GETRANGE', KEYS[1], 0, 35)
local o = type(h) == 'string' and version(h) and owner(KEYS[1]) or ''
local n = redis.call('DEL', KEYS[1])
if o ~= '' then unlist(ARGV[2] .. o, ARGV[3] .. o, ARGV[1]) end
return n`),
}

const setExpress = listing + putting + isForeign + `
local function set()
	local r = KEYS[2] and list(KEYS[2], KEYS[3], ARGV[3], ARGV[4], ARGV[5]) or 3
	if ARGV[2] == '' then mustPut(KEYS[1], ARGV[1])
	elseif ARGV[2] == '0' then redis.call('DEL', KEYS[1])
	else mustPut(KEYS[1], ARGV[1], 'EX', ARGV[2]) end
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
	elseif lifetime == '' then r = put(key, value)
	elseif lifetime == '0' then r = pcall('DEL', key) == 1 and 3 or 4
	else r = put(key, value, 'EX', lifetime)`),
	touch: newScript(`
if ARGV[1] ~= '' then return 3 * redis.call('EXPIRE', KEYS[1], ARGV[1]) end
redis.call('PERSIST', KEYS[1])
return 3 * redis.call('EXISTS', KEYS[1])`),
}
