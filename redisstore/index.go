package redisstore

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"
)

// pageScript reads a page of an owner's index, how many entries that has, and how many it
// should have; and with them the sessions, if they are on the index's server, so that the
// whole is one round trip. Entries whose sessions are gone fall due once the grace is over,
// if the server takes writes. Arguments: cursor, size of a page, "" or what comes before an
// id in a session's key, "GET" or "PTTL" for what to read or "", and now.
var pageScript = newScript(`
local kind = redis.call('TYPE', KEYS[1]).ok
local entries, r = 0, {'0', {}}
if kind == 'zset' then
	entries = redis.call('ZCARD', KEYS[1])
	r = redis.call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
end
local count = redis.pcall('GET', KEYS[2])
if not count then count = 0 else count = type(count) == 'string' and tonumber(count) or -1 end
local values = {}
if ARGV[4] ~= '' then
	for i = 1, #r[2], 2 do
		local key = ARGV[3] .. r[2][i]
		local v = redis.pcall('GET', key)
		if type(v) ~= 'string' then
			v = false
			redis.pcall('ZADD', KEYS[1], 'XX', 'LT', ARGV[5], r[2][i])
		end
		values[#values + 1] = v
		if ARGV[4] == 'PTTL' then values[#values + 1] = v and redis.call('PTTL', key) or -2 end
	end
end
return {r[1], r[2], entries, count, values}`)

// indexPage is a page of an owner's index, and what tells whether that is whole.
type indexPage struct {
	cursor         uint64
	elements       []string // ids and scores
	entries, count int64
	records        map[string]loaded // nil: not read
	server         rueidis.RedisResult
	trusted        bool
}

func (s *Store) indexPage(ctx context.Context, owner string, cursor uint64) (p indexPage, err error) {
	keys := []string{s.ownerKey(owner), s.countKey(owner)}
	args := []string{strconv.FormatUint(cursor, 10), number(page), s.config.Prefix, "", number(s.config.Now().UnixMilli())}
	if !s.spread {
		args[3] = s.layout.lists()
	}
	cmds := make(rueidis.Commands, 1, 2+len(infoSections))
	for _, section := range infoSections {
		cmds = append(cmds, pinned(s.b.Arbitrary("INFO", section).Build().SetSlot(keys[0])))
	}
	cmds = append(cmds, read(s.b, "GET", s.wholeKey()))
	cmds[0] = pinned(pageScript.byDigest(s.b, keys, args))
	answers := s.read(ctx, s.client, cmds)
	if refused, ok := rueidis.IsRedisErr(answers[0].Error()); ok && refused.IsNoScript() {
		cmds[0] = pinned(pageScript.whole(s.b, keys, args))
		answers = s.read(ctx, s.client, cmds)
	}
	parts, err := answers[0].ToArray()
	if err != nil {
		return p, err
	}
	if p.cursor, err = parts[0].AsUint64(); err != nil {
		return p, err
	}
	if p.elements, err = parts[1].AsStrSlice(); err != nil {
		return p, err
	}
	if p.entries, err = parts[2].AsInt64(); err != nil {
		return p, err
	}
	if p.count, err = parts[3].AsInt64(); err != nil {
		return p, err
	}
	values, err := parts[4].ToArray()
	if err != nil {
		return p, err
	}
	if !s.spread {
		p.records = make(map[string]loaded, len(p.elements)/2)
		each := len(values) / max(1, len(p.elements)/2)
		for i := 0; i+1 < len(p.elements); i += 2 {
			at := i / 2 * each
			r, err := s.layout.listed(p.elements[i], values[at:at+each])
			p.records[p.elements[i]] = loaded{r, err}
		}
	}
	p.server = answers[1]
	e, err := s.evicting(answers[1:4])
	if err != nil {
		return p, err
	}
	whole, err := answers[4].ToString()
	if unanswered(err) && !rueidis.IsRedisNil(err) {
		return p, err
	}
	p.trusted = err == nil && e.keeps(whole)
	return p, nil
}
