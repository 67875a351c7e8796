-- Adds a session to the index of its owner, before another command writes the session.
-- Returns what index_add returns.
local index, count = KEYS[1], KEYS[2]
local id, score, due_until = ARGV[1], ARGV[2], ARGV[3] -- the entry, and which entries are due

return index_add(index, count, id, score, due_until)
