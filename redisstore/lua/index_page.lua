-- Reads a page of an owner's index, and the sessions with it if they are on the same server:
-- so a listing is one round trip. The entry of a session that has ended falls due when the
-- grace is over, if the server takes writes.
-- Returns {next cursor, {id, score, …}, entries in the index, the count of them, values}. The
-- count is -1 if it is no number. For each id there is one value, or two with PTTL: the
-- session's or false, and how many ms it has left.
local index, count = KEYS[1], KEYS[2]
local cursor, page = ARGV[1], ARGV[2]
local key_prefix = ARGV[3] -- of the sessions' keys
local reads = ARGV[4] -- 'GET', 'PTTL' for both, or '' if the sessions are on other servers
local now = ARGV[5] -- in ms since 1970

local entries, scanned = 0, {'0', {}}
if redis.call('TYPE', index).ok == 'zset' then
	entries = redis.call('ZCARD', index)
	scanned = redis.call('ZSCAN', index, cursor, 'COUNT', page)
end
local next_cursor, elements = scanned[1], scanned[2]

local counted = redis.pcall('GET', count)
if not counted then counted = 0
else counted = type(counted) == 'string' and tonumber(counted) or -1 end

local values = {}
if reads ~= '' then
	for i = 1, #elements, 2 do
		local session = key_prefix .. elements[i]
		local value = redis.pcall('GET', session)
		if type(value) ~= 'string' then
			value = false
			redis.pcall('ZADD', index, 'XX', 'LT', now, elements[i])
		end
		values[#values + 1] = value
		if reads == 'PTTL' then values[#values + 1] = value and redis.call('PTTL', session) or -2 end
	end
end
return {next_cursor, elements, entries, counted, values}
