-- Creates a session, and its entry in its owner's index.
-- Returns EXISTS, DONE, or what index_add returns.
local session = KEYS[1]
local index, count = KEYS[2], KEYS[3] -- only if the session has an owner, whose index is on this server
local value = ARGV[1]
local expires = ARGV[2] -- in ms since 1970, '0' for never, '-1' if it has ended
local id, score, due_until = ARGV[3], ARGV[4], ARGV[5] -- the index's entry, and which entries are due

if redis.call('EXISTS', session) == 1 then return EXISTS end
local result = index and index_add(index, count, id, score, due_until) or DONE
put_session(session, value, expires)
return result
