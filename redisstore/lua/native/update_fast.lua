-- Replaces a session that has the version that the caller knows, and keeps its owner, as
-- nearly every update does. It stands first in the script because a script makes its
-- functions anew at each run, which takes longer than this. It has changed nothing if it
-- does not return: update.lua then does the rest.
do
	local header = redis.pcall('GETRANGE', KEYS[1], '0', ARGV[11]) -- to the owner's end
	if type(header) == 'string' and string.sub(header, 1, 3) == 'n1:'
		and string.sub(header, 4, 19) == ARGV[6] and ARGV[6] ~= '0000000000000000' -- the version
		and string.find(header, '^:%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d:', 20)
		and string.sub(header, 37) == ARGV[7] -- the owner
		and string.byte(ARGV[2]) > 48 -- the expiry is neither '0' nor '-1'
		and redis.pcall('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]).ok then
		return 3 -- DONE
	end
end
