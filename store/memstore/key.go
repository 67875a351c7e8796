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

// sextets are the values of the characters of base64url at each of four places, which together
// are three bytes. That of another character has bits above these.
var sextets = func() (all [4][256]uint32) {
	for place := range all {
		for i := range all[place] {
			all[place][i] = 1 << 24
		}
		for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
			all[place][c] = uint32(i) << (18 - 6*place)
		}
	}
	return all
}()

// decodeKey reports false unless encodeKey makes id of the result.
func decodeKey(id string) (raw [rawKey]byte, ok bool) {
	if len(id) != rawText {
		return raw, false
	}
	var seen, x uint32
	for i, j := 0, 0; j < rawKey-2; i, j = i+4, j+3 {
		c := id[i : i+4]
		x = sextets[0][c[0]] | sextets[1][c[1]] | sextets[2][c[2]] | sextets[3][c[3]]
		seen |= x
		raw[j], raw[j+1], raw[j+2] = byte(x>>16), byte(x>>8), byte(x)
	}
	c := id[rawText-3:]
	x = sextets[0][c[0]] | sextets[1][c[1]] | sextets[2][c[2]]
	raw[rawKey-2], raw[rawKey-1] = byte(x>>16), byte(x>>8)
	return raw, (seen|x)>>24 == 0 && byte(x) == 0
}

func encodeKey(raw []byte) string {
	var text [rawText]byte
	base64.RawURLEncoding.Encode(text[:], raw)
	return string(text[:])
}
