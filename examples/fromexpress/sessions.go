// Package fromexpress is the code of docs/guides/from-express-session.md: an
// application beside one on express-session, and after it.
package fromexpress

import (
	"os"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
)

// Beside shares the sessions of a Node application that is running.
func Beside(kept store.Store) (*session.Manager[Account], error) {
	cfg := express.Config(os.Getenv("SESSION_SECRET"))
	cfg.Store = kept
	cfg.Cookie.Secure = session.SecureAuto
	cfg.Cookie.MaxAge = 7 * 24 * time.Hour
	sessions, err := session.New[Account](cfg)
	if err != nil {
		return nil, err
	}
	return sessions, nil
}

// After goes on with them when Node is switched off.
func After(kept store.Store) (*session.Manager[Account], error) {
	cfg := session.Config{
		Secrets: []string{os.Getenv("SESSION_SECRET")},
		Store:   kept,
		Name:    "connect.sid",                                  // the cookie's name in browsers
		Express: session.ExpressOptions{InsecurePlainIDs: true}, // the keys in the store
		Cookie:  session.Cookie{MaxAge: 7 * 24 * time.Hour},
	}
	sessions, err := session.New[Account](cfg)
	if err != nil {
		return nil, err
	}
	return sessions, nil
}
