-- Functions that write a session's value. The arguments after the value are SET's.

-- put returns SET's reply, or the error as a table. A server that is out of memory refuses
-- even a SET that would free memory, unless the script has removed something before: so a
-- value that shrinks is removed first.
local function put(key, value, ...)
	local reply = redis.pcall('SET', key, value, ...)
	if reply.err and string.find(reply.err, 'OOM') and #value < redis.call('STRLEN', key) then
		redis.call('DEL', key)
		reply = redis.pcall('SET', key, value, ...)
	end
	return reply
end

-- must_put ends the script with the error if put fails.
local function must_put(key, value, ...)
	if put(key, value, ...).err then redis.call('SET', key, value, ...) end
end
