-- Replaces those of many sessions that have the version that their callers know. None keeps
-- another from being replaced. A session that gets a new owner is left to update.lua.
-- Returns {place, outcome, …} for those that were not replaced, by their place in KEYS: with
-- CONFLICT or UNBATCHED. Where MGET finds nothing there may be a value of another type.
local sessions, ARGV = KEYS, ARGV
-- ARGV has four values for each session, and three for all of them. Those are '' and '' if
-- indexes are on other servers.
local index_prefix, count_prefix = ARGV[#ARGV - 2], ARGV[#ARGV - 1]
local key_prefix_length = ARGV[#ARGV] -- of what precedes the id in a session's key

-- update replaces a session, whatever has changed. Returns the outcome.
local function update(session, stored, value, expires, known_version, owner)
	local version = stored and header_version(stored)
	if not stored then return UNBATCHED end
	if 'n1:' .. (version or string.sub(redis.sha1hex(stored), 1, 16)) .. ':' ~= known_version then return CONFLICT end
	if owner ~= '0:' and string.sub(stored, 37, 36 + #owner) ~= owner then return UNBATCHED end
	local length = version and owner == '0:' and index_prefix ~= '' and string.match(stored, '^(%d+):', 37)
	if length and length ~= '0' then
		local old_owner = string.sub(stored, 38 + #length, 37 + #length + length)
		index_remove(index_prefix .. old_owner, count_prefix .. old_owner, string.sub(session, key_prefix_length + 1))
	end
	local reply
	if expires == '0' then reply = put(session, value)
	elseif expires == '-1' then reply = redis.pcall('DEL', session)
	else reply = put(session, value, 'PXAT', expires) end
	if type(reply) == 'table' and reply.err or reply == 0 then return UNBATCHED end
	return DONE
end

local not_done = {}
local call, sub = redis.pcall, string.sub
local argument = 1
for i, stored in ipairs(redis.call('MGET', unpack(sessions))) do
	local session = sessions[i]
	local value = ARGV[argument]
	local expires = ARGV[argument + 1] -- in ms since 1970, '0' for never, '-1' if it has ended
	local known_version = ARGV[argument + 2] -- as it stands in a value: n1:<version>:
	local owner = ARGV[argument + 3] -- as it stands in a value: <length>:<owner>
	argument = argument + 4
	-- Nearly every session is one that has the version and the owner, and lives on: SET refuses
	-- the expiries '0' and '-1'.
	local replaced = stored and sub(stored, 1, 20) == known_version and sub(stored, 37, 36 + #owner) == owner
		and call('SET', session, value, 'PXAT', expires).ok
	if not replaced then
		local outcome = update(session, stored, value, expires, known_version, owner)
		if outcome ~= DONE then
			not_done[#not_done + 1] = i
			not_done[#not_done + 1] = outcome
		end
	end
end
return not_done
