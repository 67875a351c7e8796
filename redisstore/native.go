package redisstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// The store's own layout. A value is
//
//	n1:<version>:<expiry>:<length of owner>:<owner><document>
//
// with the version, a random number, in 16 hexadecimal digits, and the expiry, in
// milliseconds since 1970 or zeros for never, in 15 decimal ones. Their places are
// fixed, so that a script reads the version without the document, and Touch
// writes the expiry alone. The expiry stands there beside the key's because Redis
// 6.2 cannot be asked for it, only for the time that is left; so one GET answers
// all, which a cache can keep.
const (
	magic     = "n1:"
	versionAt = len(magic)
	expiryAt  = versionAt + 16 + 1
	ownerAt   = expiryAt + 15 + 1
)

var errForeign = errors.New("a value under the prefix was not written in this layout: are these the keys of a Node application (set Config.Express), or of something else (choose another Config.Prefix)?")

type native struct {
	b   rueidis.Builder
	now func() time.Time
}

func (n native) scripts() *scripts { return &nativeScripts }

func (n native) reads(cmds rueidis.Commands, key string) rueidis.Commands {
	return append(cmds, read(n.b, "GET", key))
}

func (n native) record(id string, answers []rueidis.RedisResult) (store.Record, error) {
	value, err := answers[0].AsBytes()
	if err != nil {
		return store.Record{}, err
	}
	return parse(id, value)
}

// parse takes a value apart. The record's data is part of it.
func parse(id string, value []byte) (store.Record, error) {
	if len(value) < ownerAt || string(value[:versionAt]) != magic {
		return store.Record{}, errForeign
	}
	version, err1 := strconv.ParseUint(string(value[versionAt:expiryAt-1]), 16, 64)
	expiry, err2 := strconv.ParseInt(string(value[expiryAt:ownerAt-1]), 10, 64)
	rest := value[ownerAt:]
	colon := bytes.IndexByte(rest, ':')
	if err1 != nil || err2 != nil || colon < 0 {
		return store.Record{}, errForeign
	}
	length, err := strconv.ParseUint(string(rest[:colon]), 10, 31)
	rest = rest[colon+1:]
	if err != nil || int(length) > len(rest) {
		return store.Record{}, errForeign
	}
	r := store.Record{ID: id, Owner: string(rest[:length]), Data: rest[length:len(rest):len(rest)], Version: store.Version(version)}
	if expiry != 0 {
		r.Expires = time.UnixMilli(expiry)
	}
	return r, nil
}

func (n native) owner(value []byte) string {
	r, _ := parse("", value)
	return r.Owner
}

func (n native) value(r store.Record) (string, store.Version, string) {
	version := rand.Uint64() | 1 // not zero
	b := make([]byte, 0, ownerAt+8+len(r.Owner)+len(r.Data))
	b = append(b, magic...)
	b = append(appendHex(b, version), ':')
	b = append(appendPadded(b, n.milli(r.Expires)), ':')
	b = strconv.AppendInt(b, int64(len(r.Owner)), 10)
	b = append(b, ':')
	b = append(b, r.Owner...)
	owner := b[ownerAt:len(b):len(b)]
	b = append(b, r.Data...)
	return rueidis.BinaryString(b), store.Version(version), rueidis.BinaryString(owner)
}

func (n native) milli(expires time.Time) int64 {
	if expires.IsZero() {
		return 0
	}
	return milli(expires)
}

// over as the lifetime is that of a session whose time has passed. Scripts remove
// the key then, which a server that is out of memory allows, where it would refuse
// to write a value that ends at once: logging out makes room.
const over = "-1"

func (n native) lifetime(expires time.Time) string {
	if !expires.IsZero() && !expires.After(n.now()) {
		return over
	}
	return strconv.FormatInt(n.milli(expires), 10)
}

func appendHex(b []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&15])
	}
	return b
}

// appendPadded appends 15 decimal digits.
func appendPadded(b []byte, v int64) []byte {
	for unit := int64(100_000_000_000_000); unit > 0; unit /= 10 {
		b = append(b, byte('0'+v/unit%10))
	}
	return b
}
