-- Replaces a session that has the version that the caller knows, and keeps its owner, as
-- nearly every update does. It stands first in the script because a script makes its
-- functions anew at each run, which takes longer than this. It has changed nothing if it
-- does not return: update.lua then does the rest. SET refuses the expiries '0' and '-1'.
do
	local call, sub = redis.pcall, string.sub
	local header = call('GETRANGE', KEYS[1], '0', ARGV[11]) -- to the owner's end
	if not header.err and sub(header, 1, 20) == ARGV[6] and sub(header, 37) == ARGV[7] -- the version and the owner
		and call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]).ok then
		return 3 -- DONE
	end
end
