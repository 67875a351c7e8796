-- put_session writes a session. An ended one is removed, which a server that is out of
-- memory allows.
local function put_session(key, value, expires)
	if expires == '0' then must_put(key, value)
	elseif expires == '-1' then redis.call('DEL', key)
	else must_put(key, value, 'PXAT', expires) end
end
