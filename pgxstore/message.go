package pgxstore

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/nestsession/session/store"
)

// The words with which messages begin:
//
//	changed VERSION DIGEST    the row has other content, or an earlier expiry
//	ended VERSION DIGEST      the row was deleted, or has expired; VERSION may be 0
//	all                       anything may have changed
//	beat TEXT                 a heartbeat, which only its sender uses
//
// PostgreSQL lets every role that may connect LISTEN to any channel, whatever its rights
// on the table. So a message holds no id, only the digest of one ([store.DigestOf]) in
// hexadecimal: a node that has the record finds it by the digest, and nobody else can use it.
//
// Every role may NOTIFY as well. A forged message only makes nodes load the record, or all
// of them, again: watchers take events as hints, and the text of a heartbeat cannot be
// guessed before it is sent.
const (
	wordChanged = "changed"
	wordEnded   = "ended"
	wordAll     = "all"
	wordBeat    = "beat"
)

// message is a notification that arrived.
type message struct {
	event store.Event
	beat  string // the heartbeat's text; "": the message is an event
}

// parse parses a message. A message that it does not understand may be about any record, so
// it becomes the zero event.
func parse(payload string) message {
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
