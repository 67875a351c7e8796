package fromgorilla

import (
	"context"

	"github.com/nestsession/session"
)

// AddFlash keeps a message for the next page.
func AddFlash(s *Session, message string) {
	s.Update(func(a *Account) { a.Flashes = append(a.Flashes, message) })
}

// Flashes returns the messages and takes them out. If several pages are loaded at
// once, only one of them shows the messages.
func Flashes(ctx context.Context, s *Session) ([]string, error) {
	return session.Take(ctx, s, func(a *Account) []string {
		shown := a.Flashes
		a.Flashes = nil
		return shown
	})
}
