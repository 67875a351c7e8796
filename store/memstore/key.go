package memstore

import (
	"encoding/base64"
	"hash/maphash"
)

// rawKey is how many bytes a key has that package session makes: a hash.
const rawKey = 32

// key is an id in the form in which it is kept. An id of 43 characters that is base64 without
// padding, as all ids are that package session makes, is kept as the 32 bytes that it means.
type key struct {
	text  string
	raw   [rawKey]byte
	isRaw bool
	hash  uint64
}

func (s *Store) key(id string) key {
	k := key{text: id}
	if k.raw, k.isRaw = decodeKey(id); k.isRaw {
		k.hash = maphash.Bytes(s.seed, k.raw[:])
	} else {
		k.hash = maphash.String(s.seed, id)
	}
	return k
}

const rawText = (rawKey*8 + 5) / 6

// sextets are the values of the characters of base64url.
var sextets = func() (all [256]byte) {
	for i := range all {
		all[i] = 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		all[c] = byte(i)
	}
	return all
}()

// decodeKey reports false unless encodeKey makes id of the result.
func decodeKey(id string) (raw [rawKey]byte, ok bool) {
	if len(id) != rawText {
		return raw, false
	}
	var seen byte
	for i, j := 0, 0; i < rawText-3; i, j = i+4, j+3 {
		a, b, c, d := sextets[id[i]], sextets[id[i+1]], sextets[id[i+2]], sextets[id[i+3]]
		seen |= a | b | c | d
		raw[j], raw[j+1], raw[j+2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
	}
	a, b, c := sextets[id[rawText-3]], sextets[id[rawText-2]], sextets[id[rawText-1]]
	raw[rawKey-2], raw[rawKey-1] = a<<2|b>>4, b<<4|c>>2
	return raw, (seen|a|b|c)&0xc0 == 0 && c&3 == 0
}

func encodeKey(raw []byte) string {
	var text [rawText]byte
	base64.RawURLEncoding.Encode(text[:], raw)
	return string(text[:])
}
