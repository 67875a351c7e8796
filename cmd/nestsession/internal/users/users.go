// Package users keeps accounts, in an SQLite file or in a database of a server.
package users

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/sqlitefile"
)

var (
	// ErrTaken means that an account of that name exists.
	ErrTaken = errors.New("users: the name is taken")

	// ErrWrong means that there is no account of that name, or that its password is another one. It
	// does not say which, and the work is the same in both cases.
	ErrWrong = errors.New("users: wrong username or password")

	// ErrDisabled means that the password is right, but the account is disabled.
	ErrDisabled = errors.New("users: the account is disabled")
)

// User is what a session keeps of an account. None of it is secret.
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
	accounts
	hasher Hasher
	issuer string
	health *sqlitefile.Health // of an SQLite file; nil for a server
}

// accounts is what [Store] and [Accounts] have in common.
type accounts struct {
	db     *sql.DB
	sql    *statements
	server bool
}

// failed returns the error of a database.
func (a *accounts) failed(what string, err error) error {
	if a.server {
		return fmt.Errorf("users: %s: %w: %w", what, ErrUnavailable, err)
	}
	return fmt.Errorf("users: %s: %w", what, err)
}

// Close closes the database.
func (a *accounts) Close() error { return a.db.Close() }

// Register makes an account. The name is a result of [Name], the password one of
// [passwords.Choose]. For a name that is taken it does the same work, and returns [ErrTaken].
func (s *Store) Register(ctx context.Context, name, password string) (Login, error) {
	phc, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return Login{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	l := Login{User: User{Username: name}, Generation: newGeneration()}
	values := []any{name, phc, l.Generation, time.Now().UnixMilli()}
	if s.sql.nextID != "" {
		l.User.ID, err = s.registerNext(ctx, values)
	} else {
		err = s.db.QueryRowContext(ctx, s.sql.register, values...).Scan(&l.User.ID)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Login{}, ErrTaken
	case err != nil:
		return Login{}, s.failed("register", err)
	}
	return l, nil
}

// Authenticate returns the user of that name and password, both as they were
// typed, [ErrWrong], or [ErrDisabled] if the password is right and the account disabled. A hash of an outdated cost
// is replaced on the way.
func (s *Store) Authenticate(ctx context.Context, username, password string) (Login, error) {
	var l Login
	var phc string
	var disabled bool
	if name, err := Name(username); err == nil {
		l.User.Username = name
		err = s.row(ctx, s.sql.byName, name)(&l.User.ID, &phc, &l.Generation, &disabled)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return Login{}, s.failed("authenticate", err)
		}
	}
	// A text that cannot be a password becomes "", which cannot be one either.
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
	// The generation is the same only if the password has not changed since it was read.
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if _, err = s.db.ExecContext(ctx, s.sql.rehash, phc, l.User.ID, l.Generation); err != nil {
		return s.failed("rehash", err)
	}
	return nil
}

// Verify returns the present login of a user who knows the password, as the user typed it. It
// returns [ErrWrong] for another password and for an account that was deleted or disabled.
func (s *Store) Verify(ctx context.Context, id int64, typed string) (Login, error) {
	l := Login{User: User{ID: id}}
	var phc string
	err := s.row(ctx, s.sql.byID, id)(&l.User.Username, &phc, &l.Generation)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Login{}, s.failed("verify", err)
	}
	normal, _ := passwords.Normalize(typed)
	match, _, err := s.hasher.Verify(ctx, normal, phc)
	switch {
	case err != nil:
		return Login{}, err
	case !match:
		return Login{}, ErrWrong
	}
	return l, nil
}

// ChangePassword replaces the password of a user who knows the present one, and returns the new
// login. The new password is a result of [passwords.Choose]. From then on, [Store.Current] is false
// for all other logins. It returns [ErrWrong] for another present password, for an account that was
// deleted or disabled, and if the password was changed meanwhile.
func (s *Store) ChangePassword(ctx context.Context, id int64, present, chosen string) (Login, error) {
	l, err := s.Verify(ctx, id, present)
	if err != nil {
		return Login{}, err
	}
	fresh, err := s.hasher.Hash(ctx, chosen)
	if err != nil {
		return Login{}, err
	}
	// A canceled write may have succeeded or not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	before := l.Generation
	l.Generation = newGeneration()
	res, err := s.db.ExecContext(ctx, s.sql.change, fresh, l.Generation, id, before)
	if err != nil {
		return Login{}, s.failed("change password", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return Login{}, errors.Join(ErrWrong, err)
	}
	return l, nil
}

// newGeneration returns a number that cannot be guessed. Its 53 bits survive programs in JavaScript
// that read and write sessions as well.
func newGeneration() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return int64(binary.BigEndian.Uint64(b[:])>>11) + 1
}

// Current reports whether a login is still valid: the account exists, is not disabled, and has the
// password that it had at the login. A session records the login that began it, and every request
// checks that login. So one write to the account's row ends all of its sessions on every server,
// even if this process ends right after the write.
func (s *Store) Current(ctx context.Context, l Login) (bool, error) {
	var present Login
	err := s.row(ctx, s.sql.current, l.User.ID)(&present.User.Username, &present.Generation)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, s.failed("current", err)
	}
	return present.User.Username == l.User.Username && present.Generation == l.Generation, nil
}

// Ping returns nil if the database answers; and for a file, if it is still the one that was opened,
// and can be written.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	if err := s.row(ctx, s.sql.ping)(&n); err != nil {
		return s.failed("ping", err)
	}
	if s.health == nil {
		return nil
	}
	if err := s.health.Check(ctx); err != nil {
		return fmt.Errorf("users: %w", err)
	}
	return nil
}

// row reads a row, within answerTime.
func (s *Store) row(ctx context.Context, query string, args ...any) (scan func(...any) error) {
	return func(to ...any) error {
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		return s.db.QueryRowContext(ctx, query, args...).Scan(to...)
	}
}

// registerNext takes the next id, and registers with it. For a name that is taken it returns
// sql.ErrNoRows, as the other databases do.
func (s *Store) registerNext(ctx context.Context, values []any) (id int64, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	next, err := tx.ExecContext(ctx, s.sql.nextID)
	if err != nil {
		return 0, err
	}
	if id, err = next.LastInsertId(); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, s.sql.register, append(values, id)...)
	var my *mysql.MySQLError
	if errors.As(err, &my) && my.Number == 1062 {
		return 0, sql.ErrNoRows
	}
	if err != nil {
		return 0, err
	}
	return id, tx.Commit()
}
