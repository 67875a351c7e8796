-- put_session writes a session. An ended one is removed, which a server that is out of
-- memory allows.
local function put_session(key, value, lifetime)
	if lifetime == '' then must_put(key, value)
	elseif lifetime == '0' then redis.call('DEL', key)
	else must_put(key, value, 'EX', lifetime) end
end
