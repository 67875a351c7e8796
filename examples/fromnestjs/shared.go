package main

import (
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
)

// besideNest uses the sessions of the NestJS application while both run: kept is the
// store of both.
func besideNest(secret string, kept store.Store) (*session.Manager[Account], error) {
	cfg := express.Config(secret)
	cfg.Store = kept
	cfg.Cookie.Secure = session.SecureAlways
	cfg.Cookie.MaxAge = 7 * 24 * time.Hour
	return session.New[Account](cfg)
}
