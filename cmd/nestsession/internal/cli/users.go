package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

// openUsers opens the database of the users for a server.
func openUsers(ctx context.Context, t *storeurl.Target, hasher users.Hasher) (*users.Store, error) {
	if t.Kind == storeurl.SQLite {
		return users.Open(ctx, t.Path, hasher)
	}
	db, err := stores.OpenUsers(ctx, t)
	if err != nil {
		return nil, err
	}
	kept, err := users.OpenServer(ctx, db, t.Kind, t.Create == nil || *t.Create, hasher)
	if err != nil {
		return nil, notOpened(ctx, t, errors.Join(err, db.Close()))
	}
	return kept, nil
}

// openAccounts does the same for an operator. It makes nothing.
func openAccounts(ctx context.Context, t *storeurl.Target) (*users.Accounts, error) {
	if t.Kind == storeurl.SQLite {
		return users.OpenAccounts(ctx, t.Path)
	}
	db, err := stores.OpenUsers(ctx, t)
	if err != nil {
		return nil, err
	}
	accounts, err := users.OpenServerAccounts(ctx, db, t.Kind)
	if err != nil {
		return nil, notOpened(ctx, t, errors.Join(err, db.Close()))
	}
	return accounts, nil
}

func notOpened(ctx context.Context, t *storeurl.Target, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, users.ErrNoTables):
		return fmt.Errorf("users in %s: there are no accounts in this database: start a server with the same --users, which makes their tables (unless the URL has create=false)", t)
	}
	return stores.Explain(t, err)
}
