package howto

import (
	"errors"
	"net/http"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// NewLimited makes a manager that allows five sessions for each user.
func NewLimited(secret string, kept store.Store) (*session.Manager[Account], error) {
	return session.New[Account](session.Config{
		Secrets:     []string{secret},
		Store:       kept,
		MaxPerOwner: session.RefuseLogin(5),
	})
}

// Refused answers a login that has failed.
func Refused(w http.ResponseWriter, err error) {
	if errors.Is(err, session.ErrTooManySessions) {
		http.Error(w, "you are logged in on five devices: log out on one of them", http.StatusConflict)
		return
	}
	http.Error(w, "try again", http.StatusServiceUnavailable)
}
