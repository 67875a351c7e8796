-- Adds sessions to an owner's index, which may have lost entries. A value of another type
-- under the index's key is replaced.
-- Returns how many entries it has added.
local index, count = KEYS[1], KEYS[2]
local whole = ARGV[1] == '1' -- these are all sessions of the owner: correct the count
-- Then ARGV has a score and an id for each session.

local kind = redis.call('TYPE', index).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', index) end
local added = 0
for i = 2, #ARGV, 2 do
	local score, id = ARGV[i], ARGV[i + 1]
	added = added + redis.call('ZADD', index, 'GT', score, id)
end
if whole then
	local entries = redis.call('ZCARD', index)
	if entries > 0 then redis.call('SET', count, entries) else redis.call('DEL', count) end
elseif added > 0 then
	redis.pcall('INCRBY', count, added)
end
return added
