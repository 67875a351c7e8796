package redisstore

import (
	"errors"
	"strings"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

var errForeign = errors.New("a value under the prefix was not written in this layout: are these the keys of a Node application (set Config.Express), or of something else (choose another Config.Prefix)?")

// foreign is the record of a key of another type, if that is what the error says.
func foreign(id string, err error) (store.Record, error) {
	if isWrongType(err) {
		return store.Record{ID: id, Version: digest([]byte(noString))}, errForeign
	}
	return store.Record{}, err
}

func isWrongType(err error) bool {
	refused, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(refused.Error(), "WRONGTYPE")
}

// The version of what is no session is a digest of it. There is none of a key of another
// type, whose version is that of this text.
const noString = "no string"

// isForeign is a function for scripts: whether the version is such a digest. It is for
// keys that exist.
const isForeign = `
local function foreign(key, version)
	local v = redis.pcall('GET', key)
	if type(v) ~= 'string' then v = '` + noString + `' end
	return string.sub(redis.sha1hex(v), 1, 16) == version
end`
