package main

import (
	"context"
	"errors"
	"time"
)

// errNoUser is returned for an unknown name and for a wrong password.
var errNoUser = errors.New("no such user")

// Users finds a user by name and password. An application has it ask a database.
type Users interface {
	Find(ctx context.Context, username, password string) (*User, error)
}

// oneUser answers from one user in place of a database.
type oneUser struct{}

func (oneUser) Find(ctx context.Context, username, password string) (*User, error) {
	if username != "ada" || password != "engine" {
		return nil, errNoUser
	}
	return &User{
		ID:        42,
		Username:  "ada",
		Name:      "Ada Lovelace 🎩",
		Roles:     []string{"admin", "author"},
		CreatedAt: time.Date(2025, 12, 10, 9, 30, 0, 125e6, time.UTC),
	}, ctx.Err()
}
