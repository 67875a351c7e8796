-- Functions that read the header of a value in the native layout, see native.go:
--   n1:<version, 16 hex digits>:<expiry, 15 digits>:<length of owner>:<owner><document>
-- The length of the owner begins at byte 37, counted from 1.

local header_pattern = '^n1:(' .. string.rep('[0-9a-f]', 16) .. '):' .. string.rep('%d', 15) .. ':'

-- header_version returns the version in a value that begins with a header, else nil.
local function header_version(value)
	local hex = string.match(value, header_pattern)
	return hex ~= '0000000000000000' and hex or nil
end

-- stored_owner returns the owner of the session under a key whose value has a header; '' if
-- it has none.
local function stored_owner(key)
	local length = string.match(redis.call('GETRANGE', key, 36, 46), '^(%d+):')
	return length and redis.call('GETRANGE', key, 37 + #length, 36 + #length + length) or ''
end
