package redisstore

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// express is connect-redis 9's layout: the key holds the document, and expires
// after whole seconds, rounded up (getTTL and set in its connect-redis.js). The
// version is a digest of the document, so a write by a Node application changes it.
type express struct {
	b       rueidis.Builder
	ttl     time.Duration
	ownerOf func([]byte) string
	now     func() time.Time
}

func (e *express) scripts() *scripts       { return &expressScripts }
func (e *express) hasOwners() bool         { return e.ownerOf != nil }
func (e *express) scriptsReadOwners() bool { return false }
func (e *express) pageReads() string       { return "PTTL" }

// expiryError allows for the seconds in which the key's lifetime is stored, rounded up.
func (e *express) expiryError() time.Duration { return 2 * time.Second }

func (e *express) load(ctx context.Context, s *Store, id string) (store.Record, error) {
	return e.record(id, s.read(ctx, s.client, e.reads(nil, s.key(id))))
}

func (e *express) reads(cmds rueidis.Commands, key string) rueidis.Commands {
	return append(cmds, read(e.b, "GET", key), read(e.b, "PTTL", key))
}

func (e *express) record(id string, answers []rueidis.RedisResult) (store.Record, error) {
	value, err := answers[0].AsBytes()
	if err != nil {
		return foreign(id, err)
	}
	left, err := answers[1].AsInt64()
	if err != nil {
		return store.Record{}, err
	}
	return e.newRecord(id, value, left)
}

func (e *express) pageRecord(id string, values []rueidis.RedisMessage) (store.Record, error) {
	value, err := values[0].AsBytes()
	if err != nil {
		return store.Record{}, err
	}
	left, err := values[1].AsInt64()
	if err != nil {
		return store.Record{}, err
	}
	return e.newRecord(id, value, left)
}

// newRecord makes a record of a value and the ms that it has left.
func (e *express) newRecord(id string, value []byte, left int64) (store.Record, error) {
	r := store.Record{ID: id, Data: value[:len(value):len(value)], Version: digest(value)}
	switch {
	case left == -2: // the session ended between the two commands
		return store.Record{}, rueidis.Nil
	case left >= 0:
		r.Expires = e.now().Add(time.Duration(left) * time.Millisecond)
	}
	r.Owner = e.owner(value)
	return r, nil
}

func (e *express) owner(value []byte) string {
	if e.ownerOf == nil {
		return ""
	}
	return e.ownerOf(value)
}

func (e *express) encode(r store.Record) (string, store.Version, string) {
	// A copy: a caller whose context ends may reuse r.Data while its batch is still sent.
	return string(r.Data), digest(r.Data), ""
}

func (e *express) known(v store.Version) string {
	return rueidis.BinaryString(appendHex(make([]byte, 0, 16), uint64(v)))
}

// expiry is in seconds from now; "" for a key that does not expire.
func (e *express) expiry(expires time.Time) string {
	left := e.ttl
	if !expires.IsZero() {
		left = min(expires.Sub(e.now()), math.MaxInt64-time.Second)
		left = max(left+time.Second-1, 0).Truncate(time.Second)
	}
	if left == NoTTL {
		return ""
	}
	return strconv.FormatInt(int64(left/time.Second), 10)
}

// digest is what a script computes with redis.sha1hex. It need not resist forgery: anyone who
// can write a value can write any document.
func digest(value []byte) store.Version {
	sum := sha1.Sum(value)
	if v := binary.BigEndian.Uint64(sum[:8]); v != 0 {
		return store.Version(v)
	}
	return 1
}
