// Package document reads a stored session without the secrets of its bookkeeping: to show it to
// people, and to find the later one of two copies. What it reads is not verified, and gives nobody
// access.
package document

import (
	"encoding/json"
	"time"
)

// Notes are the library's bookkeeping in a document. Times are in ms since 1970.
type Notes struct {
	Created   int64  `json:"created"`
	Used      int64  `json:"used"`
	Successor string `json:"successor"` // the key of the session's record
	Login     bool   `json:"login"`     // of the session that a login has begun in its place
	Ended     bool   `json:"ended"`
}

// Over reports whether the session has ended: the document is then kept for a while for requests
// that were in progress.
func (n Notes) Over() bool { return n.Ended || n.Login }

// Moved reports whether the document leads to the session under a new id.
func (n Notes) Moved() bool { return n.Successor != "" && !n.Login }

// Cookie is the lifetime in a document's cookie member, as express-session writes it.
type Cookie struct {
	MaxAge  float64   `json:"originalMaxAge"` // ms; 0: none
	Expires time.Time `json:"expires"`        // at the last save; zero: none
}

// Read reads a document. Missing and invalid members are zero.
func Read(document []byte) (Notes, Cookie) {
	var members struct {
		Cookie json.RawMessage `json:"cookie"`
		Notes  json.RawMessage `json:"__nestsession"`
	}
	var n Notes
	var c Cookie
	if json.Unmarshal(document, &members) != nil {
		return n, c
	}
	if json.Unmarshal(members.Notes, &n) != nil {
		n = Notes{}
	}
	if json.Unmarshal(members.Cookie, &c) != nil || c.MaxAge < 0 {
		c = Cookie{}
	}
	return n, c
}
