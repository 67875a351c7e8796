package pgxstore

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/nestsession/session/store"
)

// The words that messages begin with:
//
//	changed VERSION DIGEST    the row has another content, or ends earlier
//	ended VERSION DIGEST      the row is gone, or has expired; VERSION may be 0
//	all                       anything may have changed
//	beat TEXT                 a heartbeat, which is its sender's alone
//
// PostgreSQL lets every role that may connect LISTEN to any channel, whatever its rights
// on the table. So a message holds no id, only the digest of one ([store.DigestOf]) in
// hexadecimal: it names the record to a node that has it and is of no use to others.
//
// Every role may NOTIFY as well. A forged message costs a look at the record, or at all
// of them, and can do no more: watchers take events for hints, and the text of a
// heartbeat cannot be guessed before it is sent.
const (
	wordChanged = "changed"
	wordEnded   = "ended"
	wordAll     = "all"
	wordBeat    = "beat"
)

// message is what came through the channel.
type message struct {
	event store.Event
	beat  string // what follows the word; the event is then none
}

// read takes a message apart. One that is not understood may be about anything: the
// event is then the zero one.
func read(payload string) message {
	word, rest, _ := strings.Cut(payload, " ")
	switch word {
	case wordBeat:
		return message{beat: rest}
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
		return message{event: e}
	}
	return message{}
}
