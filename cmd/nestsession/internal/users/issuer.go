package users

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Issuer distinguishes these accounts from those of other login servers. It is eight hexadecimal
// digits, made once with the file or the tables, and no secret.
func (s *Store) Issuer() string { return s.issuer }

// ensureIssuer reads the issuer, and makes it if there is none.
func ensureIssuer(ctx context.Context, db *sql.DB) (string, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS issuer (id TEXT NOT NULL)`); err != nil {
		return "", err
	}
	var id string
	err = tx.QueryRowContext(ctx, `SELECT id FROM issuer`).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRowContext(ctx, `INSERT INTO issuer VALUES (lower(hex(randomblob(4)))) RETURNING id`).Scan(&id)
	}
	if err != nil {
		return "", fmt.Errorf("the name of these accounts: %w", err)
	}
	return id, tx.Commit()
}
