package pgxstore

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/nestsession/session/store"
)

// The words with which messages begin, as the trigger writes them into the table of changes:
//
//	changed VERSION DIGEST    the row has other content, or an earlier expiry
//	ended VERSION DIGEST      the row was deleted, or has expired; VERSION may be 0
//	all                       anything may have changed
//
// A message holds no id, only the digest of one ([store.DigestOf]) in hexadecimal: a node
// that has the record finds it by the digest, and nobody else can use it.
const (
	wordChanged = "changed"
	wordEnded   = "ended"
	wordAll     = "all"
)

// parse parses a message. A message that it does not understand may be about any record, so
// it becomes the zero event.
func parse(payload string) store.Event {
	word, rest, _ := strings.Cut(payload, " ")
	switch word {
	case wordChanged, wordEnded:
		number, key, _ := strings.Cut(rest, " ")
		version, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			break
		}
		e := store.Event{Ended: word == wordEnded, Version: store.Version(version)}
		digest, err := hex.DecodeString(key)
		if err != nil || len(digest) != len(e.Digest) {
			break
		}
		e.Digest = store.Digest(digest)
		return e
	}
	return store.Event{}
}
