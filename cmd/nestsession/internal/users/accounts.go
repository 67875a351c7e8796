package users

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/sqlitefile"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// ErrUnknown means that there is no account of that name.
var ErrUnknown = errors.New("users: there is no account of that name")

// Account is one as an operator sees it.
type Account struct {
	User
	Created  time.Time
	Disabled time.Time // zero if it is enabled
}

// Accounts is the accounts for an operator. Servers may use the same file or database at the same
// time.
type Accounts struct{ accounts }

// OpenAccounts opens a file that a server has made. It does not make a file.
func OpenAccounts(ctx context.Context, path string) (*Accounts, error) {
	db, err := open(ctx, path, sqlitefile.Options{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there are no accounts in %s: name the server's data folder with --data FOLDER, or the database of its users with --users URL", filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	return &Accounts{accounts{db: db, sql: dialects[storeurl.SQLite]}}, nil
}

func scan(row interface{ Scan(...any) error }) (Account, error) {
	var a Account
	var created, disabled int64
	err := row.Scan(&a.ID, &a.Username, &created, &disabled)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Account{}, ErrUnknown
	case err != nil:
		return Account{}, fmt.Errorf("users: %w", err)
	}
	a.Created = time.UnixMilli(created).UTC()
	if disabled != 0 {
		a.Disabled = time.UnixMilli(disabled).UTC()
	}
	return a, nil
}

// pageSize is how many accounts are read at once, so that a listing does not block writers.
const pageSize = 500

// Each calls f with every account, in the order of their ids, until it returns an error.
func (a *Accounts) Each(ctx context.Context, f func(Account) error) error {
	last := int64(0)
	for {
		page, err := a.page(ctx, last)
		if err != nil {
			return err
		}
		for _, account := range page {
			if err := f(account); err != nil {
				return err
			}
			last = account.ID
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

func (a *Accounts) page(ctx context.Context, after int64) (page []Account, err error) {
	rows, err := a.db.QueryContext(ctx, a.sql.page, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		account, err := scan(rows)
		if err != nil {
			return nil, err
		}
		page = append(page, account)
	}
	return page, rows.Err()
}

// Disable makes logins to an account fail, and ends its sessions: they are invalid from this moment
// on, and stay invalid when the account is enabled again. A disabled account stays disabled. The
// name is as the user typed it. It returns [ErrUnknown].
func (a *Accounts) Disable(ctx context.Context, name string) (Account, error) {
	return a.change(ctx, name, a.sql.disable, newGeneration(), time.Now().UnixMilli())
}

// Enable allows logins to an account again. It returns [ErrUnknown].
func (a *Accounts) Enable(ctx context.Context, name string) (Account, error) {
	return a.change(ctx, name, a.sql.enable)
}

// Delete removes an account, which ends its sessions. Its id is never reused, but its name is free.
// It returns [ErrUnknown].
func (a *Accounts) Delete(ctx context.Context, name string) (Account, error) {
	return a.change(ctx, name, a.sql.remove)
}

// change changes the account of a name. A text that cannot be a name belongs to no account.
func (a *Accounts) change(ctx context.Context, typed, statement string, args ...any) (Account, error) {
	name, err := Name(typed)
	if err != nil {
		return Account{}, ErrUnknown
	}
	args = append(args, name)
	if a.sql.find == "" {
		return scan(a.db.QueryRowContext(ctx, statement, args...))
	}
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return Account{}, fmt.Errorf("users: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	before, err := scan(tx.QueryRowContext(ctx, a.sql.find, name))
	if err != nil {
		return Account{}, err
	}
	if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
		return Account{}, fmt.Errorf("users: %w", err)
	}
	after, err := scan(tx.QueryRowContext(ctx, a.sql.find, name))
	if errors.Is(err, ErrUnknown) {
		after, err = before, nil // it was deleted
	}
	if err != nil {
		return Account{}, err
	}
	if err := tx.Commit(); err != nil {
		return Account{}, fmt.Errorf("users: %w", err)
	}
	return after, nil
}
