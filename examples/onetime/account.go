// Package onetime is the code of docs/guides/one-time-values.md: what one request of
// many gets, however many come at the same moment.
package onetime

import (
	"time"

	"github.com/nestsession/session"
)

// Account is what the application keeps in a session.
type Account struct {
	User    string   `json:"user,omitempty"`
	State   string   `json:"state,omitempty"`   // of the login at an OAuth provider that is under way
	Flashes []string `json:"flashes,omitempty"` // messages for the next page
	Access  Access   `json:"access,omitzero"`
}

// Session is what a handler is given.
type Session = session.Session[Account]

// Access is the access to another service's API for the user.
type Access struct {
	Token      string    `json:"token"`
	Refresh    string    `json:"refresh"` // gets the next token, once
	Expires    time.Time `json:"expires"`
	Refreshing time.Time `json:"refreshing,omitzero"` // until then a request refreshes it
}
