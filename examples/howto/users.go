package howto

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"
)

// User is a row of the table of users.
type User struct {
	ID    int64
	Name  string
	Admin bool
}

// Owner is the name under which the user's sessions are found.
func (u User) Owner() string { return fmt.Sprint("user:", u.ID) }

// Users is the application's table of users:
//
//	CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, hash BLOB, admin BOOLEAN)
type Users struct{ DB *sql.DB }

// ErrCredentials says that there is no user with this name and this password.
var ErrCredentials = errors.New("wrong name or password")

// nobody is a hash that no password has. It makes an unknown name cost as much time as a
// wrong password, so that the time does not tell which names exist.
var nobody = []byte("$2a$10$/hDEMErjMKkMqRqUOXuAeOm1FVLPC4U.PsUt/Wx0ZP3WbxXcP8sre")

// Authenticate returns the user who has this name and this password.
func (u *Users) Authenticate(ctx context.Context, name, password string) (User, error) {
	var user User
	var hash []byte
	err := u.DB.QueryRowContext(ctx, "SELECT id, name, admin, hash FROM users WHERE name = ?", name).
		Scan(&user.ID, &user.Name, &user.Admin, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		_ = bcrypt.CompareHashAndPassword(nobody, []byte(password))
		return User{}, ErrCredentials
	}
	if err != nil {
		return User{}, fmt.Errorf("looking the user up: %w", err)
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil {
		return User{}, ErrCredentials
	}
	return user, nil
}

// Add adds a user.
func (u *Users) Add(ctx context.Context, name, password string, admin bool) (User, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return User{}, err // a password of more than 72 bytes, for one
	}
	res, err := u.DB.ExecContext(ctx, "INSERT INTO users (name, hash, admin) VALUES (?, ?, ?)", name, hash, admin)
	if err != nil {
		return User{}, err
	}
	id, err := res.LastInsertId()
	return User{ID: id, Name: name, Admin: admin}, err
}

// SetPassword changes a user's password.
func (u *Users) SetPassword(ctx context.Context, id int64, password string) error {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return err
	}
	_, err = u.DB.ExecContext(ctx, "UPDATE users SET hash = ? WHERE id = ?", hash, id)
	return err
}
