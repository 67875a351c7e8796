package move

import (
	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/document"
	"github.com/nestsession/session/store"
)

// written is what a document says of when it was written.
type written struct {
	at      int64 // ms since 1970; 0: it does not say
	pointer bool  // it is what the new id of the session left behind, the last to be written there
	over    bool  // it is what the end of the session left behind, or another login
}

// age reads it from a document: this library notes when a session was last saved; of
// what express-session saved, it is the expiry in the text less the lifetime.
// The later of the two counts, because express-session keeps our note as it was.
func age(text []byte) written {
	notes, cookie := document.Read(text)
	if notes.Over() || notes.Moved() {
		return written{pointer: notes.Moved(), over: notes.Over()}
	}
	var at int64
	if cookie.MaxAge > 0 && !cookie.Expires.IsZero() {
		at = cookie.Expires.UnixMilli() - int64(cookie.MaxAge)
	}
	return written{at: max(at, notes.Used)}
}

// order is how the ages of two documents compare.
type order int

const (
	unclear order = iota
	newer
	older
)

// compare tells which of two documents of one session was written later.
func compare(document, other []byte) order {
	a, b := age(document), age(other)
	switch {
	case a.pointer && b.pointer:
		return unclear
	case a.pointer:
		return newer
	case b.pointer:
		return older
	case a.at == 0 || b.at == 0 || a.at == b.at:
		return unclear
	case a.at > b.at:
		return newer
	}
	return older
}

// ownerLost reports whether only the record names the owner, and not its document.
func ownerLost(r *store.Record) bool {
	return r.Owner != "" && session.OwnerOf(r.Data) != r.Owner
}
