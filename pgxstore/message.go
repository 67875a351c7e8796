package pgxstore

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/nestsession/session/store"
)

// The words that messages begin with:
//
//	changed VERSION ID    the row has another content, or ends earlier
//	ended VERSION ID      the row is gone, or has expired; VERSION may be 0
//	all                   anything may have changed
//	beat NODE NUMBER      a heartbeat, which is its sender's alone
//
// Ids are in hexadecimal, because a message is text in the database's encoding.
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
// event is then one without an ID.
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
		id, err := hex.DecodeString(key)
		if err != nil {
			break
		}
		return message{event: store.Event{ID: string(id), Ended: word == wordEnded, Version: store.Version(version)}}
	}
	return message{}
}
