-- Deletes a session, and its entry in its owner's index.
-- Returns how many keys it has deleted.
local session = KEYS[1]
local id, index_prefix, count_prefix = ARGV[1], ARGV[2], ARGV[3]

local header = redis.pcall('GETRANGE', session, 0, 35)
local owner = type(header) == 'string' and header_version(header) and stored_owner(session) or ''
local deleted = redis.call('DEL', session)
if owner ~= '' then index_remove(index_prefix .. owner, count_prefix .. owner, id) end
return deleted
