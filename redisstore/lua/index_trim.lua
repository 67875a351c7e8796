-- Removes entries of an owner's index, or gives them another score. An entry whose score has
-- changed since the caller has read it stays as it is.
-- Returns how many it has removed.
local index, count = KEYS[1], KEYS[2]
-- ARGV has three values for each entry.

local removed = 0
for i = 1, #ARGV, 3 do
	local id, known_score = ARGV[i], ARGV[i + 1]
	local new_score = ARGV[i + 2] -- '' removes the entry
	local score = redis.call('ZSCORE', index, id)
	if score and tonumber(score) == tonumber(known_score) then
		if new_score == '' then removed = removed + redis.call('ZREM', index, id)
		else redis.call('ZADD', index, new_score, id) end
	end
end
if removed > 0 then index_count_removed(count, removed) end
return removed
