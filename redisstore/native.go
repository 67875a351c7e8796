package redisstore

import (
	"bytes"
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
	return parse(id, value, err)
}

func (n native) lists() string { return "GET" }

func (n native) listed(id string, values []rueidis.RedisMessage) (store.Record, error) {
	value, err := values[0].AsBytes()
	return parse(id, value, err)
}

// parse takes a value apart, or the error that came in its place. The record's data is
// part of it. Of a value that is none of this layout it is nothing, whatever that holds.
func parse(id string, value []byte, err error) (store.Record, error) {
	if err != nil {
		return foreign(id, err)
	}
	version, expiry, rest, ok := parseHeader(value)
	if !ok {
		return store.Record{ID: id, Version: digest(value)}, errForeign
	}
	r := store.Record{ID: id, Version: version}
	digits, rest, _ := bytes.Cut(rest, []byte{':'})
	length, err := strconv.ParseUint(string(digits), 10, 31)
	if err != nil || int(length) > len(rest) {
		return r, errForeign // with the version that it has after a touch, too
	}
	r.Owner, r.Data = string(rest[:length]), rest[length:len(rest):len(rest)]
	if expiry != 0 {
		r.Expires = time.UnixMilli(expiry)
	}
	return r, nil
}

// parseHeader reads what has its fixed place.
func parseHeader(value []byte) (v store.Version, expiry int64, rest []byte, ok bool) {
	if len(value) < ownerAt || string(value[:versionAt]) != magic || value[expiryAt-1] != ':' || value[ownerAt-1] != ':' {
		return 0, 0, nil, false
	}
	hex := value[versionAt : expiryAt-1]
	version, err1 := strconv.ParseUint(string(hex), 16, 64)
	expiry, err2 := strconv.ParseInt(string(value[expiryAt:ownerAt-1]), 10, 64)
	if err1 != nil || err2 != nil || expiry < 0 || version == 0 || bytes.ContainsAny(hex, "ABCDEF") { // scripts compare the text
		return 0, 0, nil, false
	}
	return store.Version(version), expiry, value[ownerAt:], true
}

func (n native) owner(value []byte) string {
	r, _ := parse("", value, nil)
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
