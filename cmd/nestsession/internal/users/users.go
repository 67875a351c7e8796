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
)

// User is what a session holds of an account: nothing secret.
type User struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// Login is a user whose password was right, and which of the account's passwords
// that was, for [Store.Current].
type Login struct {
	User       User
	generation int64
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
	l := Login{User: User{Username: name}}
	err = s.db.QueryRowContext(ctx,
		`INSERT INTO users (name, password, created_at) VALUES (?, ?, ?)
		 ON CONFLICT (name) DO NOTHING RETURNING id, generation`,
		name, phc, time.Now().UnixMilli()).Scan(&l.User.ID, &l.generation)
	if errors.Is(err, sql.ErrNoRows) {
		return Login{}, ErrTaken
	}
	if err != nil {
		return Login{}, fmt.Errorf("users: register: %w", err)
	}
	return l, nil
}

// Authenticate returns the user of that name and password, both as they were
// typed, or [ErrWrong]. A hash of an outdated cost is replaced on the way.
func (s *Store) Authenticate(ctx context.Context, username, password string) (Login, error) {
	var l Login
	var phc string
	if name, err := Name(username); err == nil {
		l.User.Username = name
		err = s.db.QueryRowContext(ctx, `SELECT id, password, generation FROM users WHERE name = ?`, name).
			Scan(&l.User.ID, &phc, &l.generation)
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
	_, err = s.db.ExecContext(ctx, `UPDATE users SET password = ? WHERE id = ? AND generation = ?`, phc, l.User.ID, l.generation)
	if err != nil {
		return fmt.Errorf("users: rehash: %w", err)
	}
	return nil
}

// Current reports whether the password of this login is still the account's. A
// session is to be saved first and checked then, while [Store.ChangePassword] is to
// be followed by the end of the sessions: whichever comes first, a login with the
// old password does not outlive the change.
func (s *Store) Current(ctx context.Context, l Login) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM users WHERE id = ? AND generation = ?`, l.User.ID, l.generation).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("users: current: %w", err)
	}
	return n == 1, nil
}

// ChangePassword replaces the password of a user who knows the present one, the
// new one being as [passwords.Choose] returned it. It returns [ErrWrong] for
// another present password, for an account that is gone, and for one whose password was
// changed meanwhile.
func (s *Store) ChangePassword(ctx context.Context, id int64, present, chosen string) error {
	var phc string
	var generation int64
	err := s.db.QueryRowContext(ctx, `SELECT password, generation FROM users WHERE id = ?`, id).Scan(&phc, &generation)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("users: change password: %w", err)
	}
	normal, _ := passwords.Normalize(present)
	match, _, err := s.hasher.Verify(ctx, normal, phc)
	switch {
	case err != nil:
		return err
	case !match:
		return ErrWrong
	}
	fresh, err := s.hasher.Hash(ctx, chosen)
	if err != nil {
		return err
	}
	res, err := s.db.ExecContext(ctx,
		`UPDATE users SET password = ?, generation = generation + 1 WHERE id = ? AND generation = ?`, fresh, id, generation)
	if err != nil {
		return fmt.Errorf("users: change password: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrWrong, err)
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
