package move

import (
	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/document"
	"github.com/nestsession/session/store"
)

// written is when a document was written, as far as it says.
type written struct {
	at      int64 // ms since 1970; 0: unknown
	pointer bool  // the record was left behind when the session got a new id; nothing is written to it later
	over    bool  // the record was left behind when the session ended, or when another login began
}

// age reads the time from a document: this library records when a session was last saved; if
// express-session has saved it, the time is the expiry in the text minus the lifetime. The later of
// the two counts, because express-session keeps the library's record unchanged.
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

// compare reports which of two documents of one session was written later.
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
