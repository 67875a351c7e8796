// Package users keeps accounts: in an SQLite file, in a database of a server, or in a bucket of NATS
// JetStream.
package users

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
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
	rows
	hasher Hasher
	issuer string
}

// rows is where the accounts are: a table, or a bucket. Any number of processes may use it.
type rows interface {
	// insert adds an account and returns its id, which no other account ever had, or [ErrTaken].
	insert(ctx context.Context, a account) (id int64, err error)

	// byName and byID return [ErrUnknown] if there is none.
	byName(ctx context.Context, name string) (account, error)
	byID(ctx context.Context, id int64) (account, error)

	// current is byID for name, generation and disabled. It may be out of date by as much as a near
	// cache is, if l is what it returns.
	current(ctx context.Context, l Login) (account, error)

	// replace changes the password of an account that is not disabled and has the generation; else it
	// reports false.
	replace(ctx context.Context, id, generation int64, to account) (bool, error)

	// page returns the next accounts in the order of their ids.
	page(ctx context.Context, after int64) ([]Account, error)

	// disable, enable and remove return the account, or [ErrUnknown].
	disable(ctx context.Context, name string, generation, at int64) (Account, error)
	enable(ctx context.Context, name string) (Account, error)
	remove(ctx context.Context, name string) (Account, error)

	// failed returns the error of a call.
	failed(what string, err error) error

	Ping(ctx context.Context) error
	Close() error
}

// account is all that is kept of one. Times are in milliseconds since 1970.
type account struct {
	id         int64
	name       string
	password   string // argon2id as a PHC string
	generation int64
	created    int64
	disabled   int64 // 0: it is not
}

func (a account) login() Login {
	return Login{User: User{ID: a.id, Username: a.name}, Generation: a.generation}
}

// Register makes an account. The name is a result of [Name], the password one of
// [passwords.Choose]. For a name that is taken it does the same work, and returns [ErrTaken].
func (s *Store) Register(ctx context.Context, name, password string) (Login, error) {
	phc, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return Login{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	a := account{name: name, password: phc, generation: newGeneration(), created: time.Now().UnixMilli()}
	switch a.id, err = s.insert(ctx, a); {
	case errors.Is(err, ErrTaken):
		return Login{}, ErrTaken
	case err != nil:
		return Login{}, s.failed("register", err)
	}
	return a.login(), nil
}

// Authenticate returns the user of that name and password, both as they were
// typed, [ErrWrong], or [ErrDisabled] if the password is right and the account disabled. A hash of an outdated cost
// is replaced on the way.
func (s *Store) Authenticate(ctx context.Context, username, password string) (Login, error) {
	var a account
	if name, err := Name(username); err == nil {
		a, err = s.look(func(ctx context.Context) (account, error) { return s.byName(ctx, name) }, ctx)
		if err != nil {
			return Login{}, s.failed("authenticate", err)
		}
	}
	// A text that cannot be a password becomes "", which cannot be one either.
	normal, _ := passwords.Normalize(password)
	match, outdated, err := s.hasher.Verify(ctx, normal, a.password)
	switch {
	case err != nil:
		return Login{}, err
	case !match:
		return Login{}, ErrWrong
	case a.disabled != 0:
		return Login{}, ErrDisabled
	}
	if outdated {
		if err := s.rehash(ctx, a, normal); err != nil {
			return Login{}, err
		}
	}
	return a.login(), nil
}

// look returns an account within answerTime, and the zero account if there is none.
func (s *Store) look(find func(context.Context) (account, error), ctx context.Context) (account, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	a, err := find(ctx)
	if errors.Is(err, ErrUnknown) {
		return account{}, nil
	}
	return a, err
}

func (s *Store) rehash(ctx context.Context, a account, password string) error {
	phc, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	// The generation is the same only if the password has not changed since it was read.
	if _, err := s.replace(ctx, a.id, a.generation, account{password: phc, generation: a.generation}); err != nil {
		return s.failed("rehash", err)
	}
	return nil
}

// Verify returns the present login of a user who knows the password, as the user typed it. It
// returns [ErrWrong] for another password and for an account that was deleted or disabled.
func (s *Store) Verify(ctx context.Context, id int64, typed string) (Login, error) {
	a, err := s.look(func(ctx context.Context) (account, error) { return s.byID(ctx, id) }, ctx)
	if err != nil {
		return Login{}, s.failed("verify", err)
	}
	if a.disabled != 0 {
		a.password = ""
	}
	normal, _ := passwords.Normalize(typed)
	match, _, err := s.hasher.Verify(ctx, normal, a.password)
	switch {
	case err != nil:
		return Login{}, err
	case !match:
		return Login{}, ErrWrong
	}
	return a.login(), nil
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
	changed, err := s.replace(ctx, id, before, account{password: fresh, generation: l.Generation})
	if err != nil {
		return Login{}, s.failed("change password", err)
	}
	if !changed {
		return Login{}, ErrWrong
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
	present, err := s.look(func(ctx context.Context) (account, error) { return s.current(ctx, l) }, ctx)
	if err != nil {
		return false, s.failed("current", err)
	}
	return present.disabled == 0 && present.login() == l, nil
}
