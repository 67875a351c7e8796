// Package document reads what a stored session says of itself without knowing the secrets
// that it is sealed with: for people to look at, and for telling which of two copies is
// the later one. Nobody is let in by what it reads.
package document

import (
	"encoding/json"
	"time"
)

// Notes is the bookkeeping of this library in a document. Times are in ms since 1970.
type Notes struct {
	Created   int64  `json:"created"`
	Used      int64  `json:"used"`
	Successor string `json:"successor"` // the session is kept under this key
	Login     bool   `json:"login"`     // of the session that a login has begun in its place
	Ended     bool   `json:"ended"`
}

// Over reports whether the session has ended: the document is what its end has left for
// a while, for requests that were under way.
func (n Notes) Over() bool { return n.Ended || n.Login }

// Moved reports whether the document leads to the session, which has a new id.
func (n Notes) Moved() bool { return n.Successor != "" && !n.Login }

// Cookie is the cookie's lifetime in a document, as express-session keeps it.
type Cookie struct {
	MaxAge  float64   `json:"originalMaxAge"` // ms; 0: none
	Expires time.Time `json:"expires"`        // at the last save; zero: none
}

// Read reads a document. What is missing, or makes no sense, is zero.
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
