// Package freshlogin is the code of docs/howto/step-up.md: a bank that asks for the password
// again before a payment.
package freshlogin

import (
	"context"

	"github.com/nestsession/session"
	"github.com/nestsession/session/stepup"
)

// Account is what the bank keeps in a session.
type Account struct {
	User string      `json:"user,omitempty"`
	Form stepup.Form `json:"form,omitzero"` // the form that is kept during the login
}

// Session is what a handler is given.
type Session = session.Session[Account]

// App is the bank.
type App struct {
	Sessions *session.Manager[Account]
	Guard    *stepup.Guard[Account]

	// Authenticate reports whether this is the user's password.
	Authenticate func(ctx context.Context, user, password string) bool
	// Pay makes a payment.
	Pay func(ctx context.Context, user, to, amount string) error
}
