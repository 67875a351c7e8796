package users

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/nestsession/session/cmd/nestsession/internal/sqlitefile"
)

// accounts is a database with tables, as the rows of a [Store].
type accounts struct {
	db     *sql.DB
	sql    *statements
	server bool
	health *sqlitefile.Health // of an SQLite file; nil for a server
}

var _ rows = (*accounts)(nil)

func (a *accounts) failed(what string, err error) error {
	if a.server {
		return fmt.Errorf("users: %s: %w: %w", what, ErrUnavailable, err)
	}
	return fmt.Errorf("users: %s: %w", what, err)
}

// Close closes the database.
func (a *accounts) Close() error { return a.db.Close() }

func (a *accounts) insert(ctx context.Context, n account) (id int64, err error) {
	values := []any{n.name, n.password, n.generation, n.created}
	if a.sql.nextID != "" {
		return a.insertNext(ctx, values)
	}
	err = a.db.QueryRowContext(ctx, a.sql.register, values...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrTaken
	}
	return id, err
}

// insertNext takes the next id, and inserts with it.
func (a *accounts) insertNext(ctx context.Context, values []any) (id int64, err error) {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	next, err := tx.ExecContext(ctx, a.sql.nextID)
	if err != nil {
		return 0, err
	}
	if id, err = next.LastInsertId(); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, a.sql.register, append(values, id)...)
	var my *mysql.MySQLError
	if errors.As(err, &my) && my.Number == 1062 {
		return 0, ErrTaken
	}
	if err != nil {
		return 0, err
	}
	return id, tx.Commit()
}

func (a *accounts) byName(ctx context.Context, name string) (account, error) {
	n := account{name: name}
	var disabled bool
	err := found(a.db.QueryRowContext(ctx, a.sql.byName, name).Scan(&n.id, &n.password, &n.generation, &disabled))
	if disabled {
		n.disabled = 1 // since when does not matter here
	}
	return n, err
}

// byID does not return an account that is disabled.
func (a *accounts) byID(ctx context.Context, id int64) (account, error) {
	n := account{id: id}
	return n, found(a.db.QueryRowContext(ctx, a.sql.byID, id).Scan(&n.name, &n.password, &n.generation))
}

func (a *accounts) current(ctx context.Context, l Login) (account, error) {
	n := account{id: l.User.ID}
	return n, found(a.db.QueryRowContext(ctx, a.sql.current, l.User.ID).Scan(&n.name, &n.generation))
}

func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrUnknown
	}
	return err
}

func (a *accounts) replace(ctx context.Context, id, generation int64, to account) (bool, error) {
	res, err := a.db.ExecContext(ctx, a.sql.change, to.password, to.generation, id, generation)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// Ping returns nil if the database answers; and for a file, if it is still the one that was opened,
// and can be written.
func (a *accounts) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var n int
	if err := a.db.QueryRowContext(ctx, a.sql.ping).Scan(&n); err != nil {
		return a.failed("ping", err)
	}
	if a.health == nil {
		return nil
	}
	if err := a.health.Check(ctx); err != nil {
		return fmt.Errorf("users: %w", err)
	}
	return nil
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

func (a *accounts) page(ctx context.Context, after int64) (page []Account, err error) {
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

func (a *accounts) disable(ctx context.Context, name string, generation, at int64) (Account, error) {
	return a.change(ctx, a.sql.disable, name, generation, at)
}

func (a *accounts) enable(ctx context.Context, name string) (Account, error) {
	return a.change(ctx, a.sql.enable, name)
}

func (a *accounts) remove(ctx context.Context, name string) (Account, error) {
	return a.change(ctx, a.sql.remove, name)
}

// change changes the account of a name, with a statement whose last argument that is.
func (a *accounts) change(ctx context.Context, statement, name string, args ...any) (Account, error) {
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
