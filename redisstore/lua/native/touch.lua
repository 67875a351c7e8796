-- Changes the expiry of a session, which keeps its version.
-- Returns MISSING or DONE.
local session = KEYS[1]
local expires = ARGV[1] -- in ms since 1970, '0' for never, '-1' if it has ended

local header = redis.pcall('GETRANGE', session, 0, 35)
if type(header) ~= 'string' or not header_version(header) then return MISSING end
if expires == '0' then
	redis.call('PERSIST', session)
else
	-- It comes first: a server that is out of memory allows it, and then the rest of the
	-- script. It removes the key if the time has passed.
	redis.call('PEXPIREAT', session, expires)
	if redis.call('EXISTS', session) == 0 then return DONE end
end
redis.call('SETRANGE', session, 20, string.format('%015d', expires)) -- its place in the header
return DONE
