-- Functions for the index of an owner: a sorted set of session ids, each with the time in
-- ms at which its entry is due. A second key holds the count of its entries. A reader
-- compares the two to detect that an index was lost, even if a later write began a new one.

-- index_add adds a session, before the script writes anything else. It never lowers a
-- score, so no entry is due before its session ends. A value of another type under the
-- index's key must not lock a user out: it is replaced, and the count -1 reports the loss.
-- Returns {DONE, id, score, …} with up to 8 entries that are due.
local function index_add(index, count, id, score, due_until)
	local kind = redis.call('TYPE', index).ok
	if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', index) end
	if redis.call('ZADD', index, 'GT', score, id) == 1 and type(redis.pcall('INCR', count)) ~= 'number' then
		redis.call('SET', count, '-1')
	end
	local result = redis.call('ZRANGEBYSCORE', index, '-inf', due_until, 'WITHSCORES', 'LIMIT', 0, 8)
	table.insert(result, 1, DONE)
	return result
end

-- index_count_removed lowers the count by n.
local function index_count_removed(count, n)
	local left = redis.pcall('DECRBY', count, n)
	if type(left) == 'number' and left <= 0 then redis.call('DEL', count) end
end

-- index_remove removes a session.
local function index_remove(index, count, id)
	if redis.pcall('ZREM', index, id) == 1 then index_count_removed(count, 1) end
end
