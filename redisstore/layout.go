package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// layout is the form in which a session is stored: [native] or [express].
type layout interface {
	// load reads a session.
	load(ctx context.Context, s *Store, id string) (store.Record, error)

	// reads appends the commands that read the session under the key.
	reads(cmds rueidis.Commands, key string) rueidis.Commands

	// record decodes their answers. It returns a record and [errForeign] if the key exists
	// and holds no session.
	record(id string, answers []rueidis.RedisResult) (store.Record, error)

	// pageReads is the argument of index_page.lua that says what it reads of each session,
	// and pageRecord decodes the values.
	pageReads() string
	pageRecord(id string, values []rueidis.RedisMessage) (store.Record, error)

	// encode returns the value that is stored for r, its version, and the owner in the form
	// in which scripts compare it.
	encode(r store.Record) (value string, v store.Version, owner string)

	// known is the argument of scripts for the version to replace.
	known(v store.Version) string

	// expiry is the argument of scripts for an expiry.
	expiry(expires time.Time) string

	// expiryError is the most by which a stored expiry differs from the one that was asked
	// for.
	expiryError() time.Duration

	// hasOwners reports whether sessions have owners.
	hasOwners() bool

	// owner returns the owner of a session by its value.
	owner(value []byte) string

	// scriptsReadOwners reports whether scripts can find the owner in a value. If not, each
	// update writes the owner's index, and a deletion reads the session.
	scriptsReadOwners() bool

	scripts() *scripts
}

func newLayout(c Config, b rueidis.Builder) layout {
	if c.Express {
		return &express{b, c.TTL, c.OwnerOf, c.Now}
	}
	return native{b, c.Now}
}

// maxMilli stands for "never" in an owner's index. It is also the last expiry, in the year
// 33658.
const maxMilli = 999_999_999_999_999

// milli returns an expiry in ms since 1970, between 1 and maxMilli.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return maxMilli
	}
	return max(1, min(t.UnixMilli(), maxMilli))
}

var errForeign = errors.New("a value under the prefix was not written in this layout: are these the keys of a Node application (set Config.Express), or of something else (choose another Config.Prefix)?")

// foreign returns the record of a key of another type, if err says that it is one. Values
// that are no session have a digest of the value as their version; there is none of such a
// key, so its version is the digest of a fixed text, as in lua/foreign.lua.
func foreign(id string, err error) (store.Record, error) {
	if isWrongType(err) {
		return store.Record{ID: id, Version: digest([]byte("no string"))}, errForeign
	}
	return store.Record{}, err
}
