-- Replaces a session if it has the version that the caller knows. If the owner changes, the
-- session moves from one index to the other. index_remove works on a server that is out of
-- memory too.
-- Returns MISSING, CONFLICT, UNLISTED, DONE, or what index_add returns.
local session = KEYS[1]
local index, count = KEYS[2], KEYS[3] -- only if the session has an owner, whose index is on this server
local value = ARGV[1]
local expires = ARGV[2] -- in ms since 1970, '0' for never, '-1' if it has ended
local id, score, due_until = ARGV[3], ARGV[4], ARGV[5] -- the index's entry, and which entries are due
local known_version = ARGV[6] -- as it stands in a value: n1:<version>:
local owner = ARGV[7] -- as it stands in a value: <length>:<owner>
local listed = ARGV[8] == '1' -- the index was written before
local index_prefix, count_prefix = ARGV[9], ARGV[10] -- of the keys of all indexes; '' if they are on other servers

if redis.call('EXISTS', session) == 0 then return MISSING end
local header = redis.pcall('GETRANGE', session, 0, 35 + #owner)
if type(header) ~= 'string' then header = '' end
local version = header_version(header)
if 'n1:' .. (version or content_version(session)) .. ':' ~= known_version then return CONFLICT end

local owner_changes = string.sub(header, 37) ~= owner
local new_owner = owner_changes and owner ~= '0:'
if new_owner and not index and not listed then return UNLISTED end
if version and owner_changes and index_prefix ~= '' then
	local old_owner = stored_owner(session)
	if old_owner ~= '' then index_remove(index_prefix .. old_owner, count_prefix .. old_owner, id) end
end
local result = new_owner and index and index_add(index, count, id, score, due_until) or DONE
put_session(session, value, expires)
return result
