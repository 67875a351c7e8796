// Package howto is the code of the pages in docs/howto: one small shop, a file for each
// page. Its tests run every handler.
package howto

import "github.com/nestsession/session"

// Account is what the shop keeps in a session.
type Account struct {
	User   int64    `json:"user,omitempty"` // the user's number; 0 for a visitor
	Name   string   `json:"name,omitempty"`
	Admin  bool     `json:"admin,omitempty"`
	Cart   []string `json:"cart,omitempty"`
	Acting Acting   `json:"acting,omitzero"` // an administrator who sees the shop as a user

	Nickname string `json:"nickname,omitempty"`
}

// Session is what a handler is given.
type Session = session.Session[Account]

// Manager makes sessions.
type Manager = session.Manager[Account]

// App is the shop.
type App struct {
	Sessions *Manager
	Users    *Users
}
