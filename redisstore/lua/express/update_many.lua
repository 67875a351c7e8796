-- Replaces those of many sessions that have the version that their callers know. None keeps
-- another from being replaced, and none has an owner.
-- Returns {place, outcome, …} for those that were not replaced, by their place in KEYS: with
-- CONFLICT or UNBATCHED. Where MGET finds nothing there may be a value of another type.
local sessions = KEYS
-- ARGV has four values for each session, the fourth of which is for the native layout, as
-- are the three at the end.

local not_done = {}
for i, stored in ipairs(redis.call('MGET', unpack(sessions))) do
	local session = sessions[i]
	local value = ARGV[4 * i - 3]
	local lifetime = ARGV[4 * i - 2] -- in seconds, '' for no end, '0' if it has ended
	local known_version = ARGV[4 * i - 1]
	local outcome = DONE
	if not stored then
		outcome = UNBATCHED
	elseif string.sub(redis.sha1hex(stored), 1, 16) ~= known_version then
		outcome = CONFLICT
	else
		local reply
		if lifetime == '' then reply = put(session, value)
		elseif lifetime == '0' then reply = redis.pcall('DEL', session)
		else reply = put(session, value, 'EX', lifetime) end
		if type(reply) == 'table' and reply.err or reply == 0 then outcome = UNBATCHED end
	end
	if outcome ~= DONE then
		not_done[#not_done + 1] = i
		not_done[#not_done + 1] = outcome
	end
end
return not_done
