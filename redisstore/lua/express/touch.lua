-- Changes how long a session lives from now on.
-- Returns MISSING or DONE.
local session = KEYS[1]
local lifetime = ARGV[1] -- in seconds, '' for no end, '0' if it has ended

local found
if lifetime == '' then
	redis.call('PERSIST', session)
	found = redis.call('EXISTS', session)
else
	found = redis.call('EXPIRE', session, lifetime)
end
return found == 1 and DONE or MISSING
