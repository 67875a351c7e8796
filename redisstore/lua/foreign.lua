-- content_version returns the version of a value that has none of its own, which is a
-- digest of it. A key of another type is read as the text in the function foreign in
-- layout.go, which has to be the same. The key has to exist.
local function content_version(key)
	local value = redis.pcall('GET', key)
	if type(value) ~= 'string' then value = 'no string' end
	return string.sub(redis.sha1hex(value), 1, 16)
end
