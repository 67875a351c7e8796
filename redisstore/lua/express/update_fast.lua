-- Replaces a session that has the version that the caller knows, if there is no index to
-- write. It stands first in the script because a script makes its functions anew at each
-- run. It has changed nothing if it does not return: update.lua then does the rest.
if not KEYS[2] then
	local stored = redis.pcall('GET', KEYS[1])
	if type(stored) == 'string' and string.sub(redis.sha1hex(stored), 1, 16) == ARGV[6]
		and ARGV[2] ~= '' and ARGV[2] ~= '0' -- the lifetime
		and redis.pcall('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]).ok then
		return 3 -- DONE
	end
end
