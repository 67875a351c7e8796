package sqlstore

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/nestsession/session/store"
)

// digestOf is the version of a row in MySQL and SQLite: a digest of what is stored, so
// that a write by any program changes it. MySQL's statement update computes the same. If
// the store does not write the owner, it is a digest of only the data.
func digestOf(data []byte, owner string, hasOwner bool) store.Version {
	sum := sha256.Sum256(data)
	if hasOwner {
		text := make([]byte, hex.EncodedLen(len(sum)), 2*len(sum)+64)
		hex.Encode(text, sum[:])
		sum = sha256.Sum256(append(text, owner...))
	}
	v := store.Version(binary.BigEndian.Uint64(sum[:]))
	if v == 0 {
		return 1 // one in 2^64; zero is not a version
	}
	return v
}

// digestText is the version as MySQL compares it.
func digestText(v store.Version) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(v))
	return hex.EncodeToString(b[:])
}
