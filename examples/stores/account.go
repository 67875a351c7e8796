// Package stores is the code of docs/stores: each store, set up as an application
// does it.
package stores

import (
	"io"

	"github.com/nestsession/session"
)

// Account is what the application keeps in a session.
type Account struct {
	User string `json:"user,omitempty"`
}

// Sessions are a manager and what has to be closed after it.
type Sessions struct {
	*session.Manager[Account]
	closers []io.Closer
}

// Close closes what the store needed, the last first.
func (s *Sessions) Close() error {
	var first error
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i].Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
