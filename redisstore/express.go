package redisstore

import (
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
// version is a digest of the document, so that a Node application's write is seen.
type express struct {
	b       rueidis.Builder
	ttl     time.Duration
	ownerOf func([]byte) string
	now     func() time.Time
}

func (e *express) scripts() *scripts { return &expressScripts }

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
	return e.make(id, value, left)
}

func (e *express) lists() string { return "PTTL" }

func (e *express) listed(id string, values []rueidis.RedisMessage) (store.Record, error) {
	value, err := values[0].AsBytes()
	if err != nil {
		return store.Record{}, err
	}
	left, err := values[1].AsInt64()
	if err != nil {
		return store.Record{}, err
	}
	return e.make(id, value, left)
}

// make makes a record of a value and how many ms it has left.
func (e *express) make(id string, value []byte, left int64) (store.Record, error) {
	r := store.Record{ID: id, Data: value[:len(value):len(value)], Version: digest(value)}
	switch {
	case left == -2: // ended between the two commands
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

func (e *express) value(r store.Record) (string, store.Version, string) {
	// A copy: who gives up has his data back, and may write to it while others who go with
	// him are still on their way.
	return string(r.Data), digest(r.Data), ""
}

// lifetime is in seconds; "" for a key that does not expire.
func (e *express) lifetime(expires time.Time) string {
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

// digest is what a script computes with redis.sha1hex. It does not guard against
// forgers, who could as well write the document that they want.
func digest(value []byte) store.Version {
	sum := sha1.Sum(value)
	if v := binary.BigEndian.Uint64(sum[:8]); v != 0 {
		return store.Version(v)
	}
	return 1
}
