package memstore

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
)

// An id is kept as bytes if and only if the same id comes back from them.
func TestKeysAreDecodedExactly(t *testing.T) {
	t.Parallel()
	check := func(id string) {
		t.Helper()
		want, err := base64.RawURLEncoding.Strict().DecodeString(id)
		valid := err == nil && len(want) == rawKey && !strings.ContainsAny(id, "\r\n")
		raw, ok := decodeKey(id)
		if ok != valid || ok && (string(raw[:]) != string(want) || encodeKey(raw[:]) != id) {
			t.Errorf("%q is decoded to %x, %v; want %x, %v", id, raw, ok, want, valid)
		}
	}
	rng := rand.New(rand.NewPCG(1, 10))
	var raw [rawKey]byte
	for range 1000 {
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		check(encodeKey(raw[:]))
	}
	id := encodeKey(raw[:])
	for at := range len(id) {
		for c := range 256 {
			check(id[:at] + string([]byte{byte(c)}) + id[at+1:])
		}
		check(id[:at])
		check(id + id[:at])
	}
}
