// Package users keeps accounts in an SQLite file.
package users

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/sqlitefile"
)

var (
	// ErrTaken says that an account of that name exists.
	ErrTaken = errors.New("users: the name is taken")

	// ErrWrong says that there is no account of that name, or that its password
	// is another. It does not say which, and takes the same work either way.
	ErrWrong = errors.New("users: wrong username or password")

	// ErrDisabled says that the password is right, and the account disabled.
	ErrDisabled = errors.New("users: the account is disabled")
)

// User is what a session holds of an account: nothing secret.
type User struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// Login is a user whose password was right, and the generation of the account's
// credentials at that time, for [Store.Current].
type Login struct {
	User       User
	Generation int64
}

// Hasher is a [passwords.Hasher], or a test's.
type Hasher interface {
	Hash(ctx context.Context, password string) (phc string, err error)
	Verify(ctx context.Context, password, phc string) (match, outdated bool, err error)
}

// Store keeps accounts. It is safe for concurrent use.
type Store struct {
	db     *sql.DB
	hasher Hasher
	issuer string
	health *sqlitefile.Health
}

// Register makes an account. The name is as [Name] returned it, the password as
// [passwords.Choose] did. A name that is taken is told only after the same work as
// for a free one: [ErrTaken].
func (s *Store) Register(ctx context.Context, name, password string) (Login, error) {
	phc, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return Login{}, err
	}
	l := Login{User: User{Username: name}, Generation: newGeneration()}
	err = s.db.QueryRowContext(ctx,
		`INSERT INTO users (name, password, generation, created_at) VALUES (?, ?, ?, ?)
		 ON CONFLICT (name) DO NOTHING RETURNING id`,
		name, phc, l.Generation, time.Now().UnixMilli()).Scan(&l.User.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return Login{}, ErrTaken
	}
	if err != nil {
		return Login{}, fmt.Errorf("users: register: %w", err)
	}
	return l, nil
}

// Authenticate returns the user of that name and password, both as they were
// typed, [ErrWrong], or [ErrDisabled] to who knows the password. A hash of an outdated cost
// is replaced on the way.
func (s *Store) Authenticate(ctx context.Context, username, password string) (Login, error) {
	var l Login
	var phc string
	var disabled bool
	if name, err := Name(username); err == nil {
		l.User.Username = name
		err = s.db.QueryRowContext(ctx, `SELECT id, password, generation, disabled_at IS NOT NULL FROM users WHERE name = ?`, name).
			Scan(&l.User.ID, &phc, &l.Generation, &disabled)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return Login{}, fmt.Errorf("users: authenticate: %w", err)
		}
	}
	// What no password can be becomes "", which is none either.
	normal, _ := passwords.Normalize(password)
	match, outdated, err := s.hasher.Verify(ctx, normal, phc)
	switch {
	case err != nil:
		return Login{}, err
	case !match:
		return Login{}, ErrWrong
	case disabled:
		return Login{}, ErrDisabled
	}
	if outdated {
		if err := s.rehash(ctx, l, normal); err != nil {
			return Login{}, err
		}
	}
	return l, nil
}

func (s *Store) rehash(ctx context.Context, l Login, password string) error {
	phc, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	// The generation says that the password has not changed since it was read.
	_, err = s.db.ExecContext(ctx, `UPDATE users SET password = ? WHERE id = ? AND generation = ?`, phc, l.User.ID, l.Generation)
	if err != nil {
		return fmt.Errorf("users: rehash: %w", err)
	}
	return nil
}

// Ping returns nil if the file answers, is still the one that was opened, and can be
// written.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM users WHERE id = 0`).Scan(&n); err != nil {
		return fmt.Errorf("users: %w", err)
	}
	if err := s.health.Check(ctx); err != nil {
		return fmt.Errorf("users: %w", err)
	}
	return nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }
