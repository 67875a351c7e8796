package users

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/sqlitefile"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// ErrUnknown means that there is no account of that name.
var ErrUnknown = errors.New("users: there is no account with this name")

// Account is one as an operator sees it.
type Account struct {
	User
	Created  time.Time
	Disabled time.Time // zero if it is enabled
}

// Accounts is the accounts for an operator. Servers may use the same file or database at the same
// time.
type Accounts struct{ rows }

// OpenAccounts opens a file that a server has made. It does not make a file.
func OpenAccounts(ctx context.Context, path string) (*Accounts, error) {
	db, err := open(ctx, path, sqlitefile.Options{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there are no accounts in %s: name the server's data folder with --data FOLDER, or the database of its users with --users URL", filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	return &Accounts{&accounts{db: db, sql: dialects[storeurl.SQLite]}}, nil
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

// Disable makes logins to an account fail, and ends its sessions: they are invalid from this moment
// on, and stay invalid when the account is enabled again. A disabled account stays disabled. The
// name is as the user typed it. It returns [ErrUnknown].
func (a *Accounts) Disable(ctx context.Context, name string) (Account, error) {
	return named(name, func(name string) (Account, error) {
		return a.disable(ctx, name, newGeneration(), time.Now().UnixMilli())
	})
}

// Enable allows logins to an account again. It returns [ErrUnknown].
func (a *Accounts) Enable(ctx context.Context, name string) (Account, error) {
	return named(name, func(name string) (Account, error) { return a.enable(ctx, name) })
}

// Delete removes an account, which ends its sessions. Its id is never reused, but its name is free.
// It returns [ErrUnknown].
func (a *Accounts) Delete(ctx context.Context, name string) (Account, error) {
	return named(name, func(name string) (Account, error) { return a.remove(ctx, name) })
}

// named calls do with the name that was typed. A text that cannot be a name belongs to no account.
func named(typed string, do func(name string) (Account, error)) (Account, error) {
	name, err := Name(typed)
	if err != nil {
		return Account{}, ErrUnknown
	}
	return do(name)
}
