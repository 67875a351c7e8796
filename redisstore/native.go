package redisstore

import (
	"bytes"
	"context"
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
// The version is a random number in 16 hexadecimal digits. The expiry is in milliseconds
// since 1970, or zero for never, in 15 decimal digits. Their places are fixed, so a script
// reads the version without the document, and Touch writes only the expiry. The header
// repeats the key's expiry because Redis 6.2 reports only the time that is left. So one GET
// returns all of a session, and a cache can keep its answer.
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

func (n native) scripts() *scripts          { return &nativeScripts }
func (n native) hasOwners() bool            { return true }
func (n native) scriptsReadOwners() bool    { return true }
func (n native) expiryError() time.Duration { return time.Millisecond }
func (n native) pageReads() string          { return "GET" }

func (n native) load(ctx context.Context, s *Store, id string) (store.Record, error) {
	value, err := s.placement.get(ctx, s.key(id))
	return parse(id, value, err)
}

func (n native) reads(cmds rueidis.Commands, key string) rueidis.Commands {
	return append(cmds, read(n.b, "GET", key))
}

func (n native) record(id string, answers []rueidis.RedisResult) (store.Record, error) {
	value, err := answers[0].AsBytes()
	return parse(id, value, err)
}

func (n native) pageRecord(id string, values []rueidis.RedisMessage) (store.Record, error) {
	value, err := values[0].AsBytes()
	return parse(id, value, err)
}

// parse decodes a value, or passes on the error of reading it. The record's data is a part of
// the value. A value in another layout gives a record without data.
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
		return r, errForeign // a touch does not change this version
	}
	r.Owner, r.Data = string(rest[:length]), rest[length:len(rest):len(rest)]
	if expiry != 0 {
		r.Expires = time.UnixMilli(expiry)
	}
	return r, nil
}

// parseHeader decodes the part of the header that has fixed places.
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

func (n native) encode(r store.Record) (string, store.Version, string) {
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

// known returns the start of a value with the version, up to the expiry. No value has the
// version 0.
func (n native) known(v store.Version) string {
	if v == 0 {
		return ""
	}
	b := append(make([]byte, 0, expiryAt), magic...)
	return rueidis.BinaryString(append(appendHex(b, uint64(v)), ':'))
}

// headerEnd is the place of the last byte of the header of a session with the owner, as a
// script's argument. The owner is in the form in which encode returns it.
func headerEnd(owner string) string { return number(int64(ownerAt + len(owner) - 1)) }

func (n native) milli(expires time.Time) int64 {
	if expires.IsZero() {
		return 0
	}
	return milli(expires)
}

// ended is the expiry of a session whose time has passed. Scripts then remove the key, so a
// logout frees memory. A server that is out of memory allows that, but would refuse to
// write a value that expires at once.
const ended = "-1"

func (n native) expiry(expires time.Time) string {
	if !expires.IsZero() && !expires.After(n.now()) {
		return ended
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
