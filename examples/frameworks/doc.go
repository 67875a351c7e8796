// Package frameworks shows the library in other people's routers: a file for each, with a
// login, a page for users, and a logout. The tests run all of them in their real
// packages, also with their own recoverers, upgraders and error handlers.
package frameworks

import "github.com/nestsession/session"

// Account is the data of a session.
type Account struct {
	User string `json:"user,omitempty"`
}

// Session is the session that a handler gets.
type Session = session.Session[Account]

// Manager makes sessions.
type Manager = session.Manager[Account]
