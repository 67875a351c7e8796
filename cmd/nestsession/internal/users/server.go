package users

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// ErrUnavailable means that the database of the accounts did not do what was asked of it.
var ErrUnavailable = errors.New("users: the database of the accounts is unavailable")

// ErrNoTables means that no server has made the tables yet.
var ErrNoTables = errors.New("users: there are no accounts in this database yet")

const (
	answerTime  = 10 * time.Second // how long a database may take to answer
	migrateTime = time.Minute      // how long the tables may take
)

// OpenServer uses a database of PostgreSQL, MySQL or MariaDB, which Close closes. With create it
// makes the tables, or brings them up to date; any number of processes may do so at the same time.
// It refuses tables of a later version.
func OpenServer(ctx context.Context, db *sql.DB, kind storeurl.Kind, create bool, hasher Hasher) (*Store, error) {
	table := &accounts{db: db, sql: dialects[kind], server: true}
	s := &Store{rows: table, hasher: hasher}
	var err error
	if s.issuer, err = table.ensure(ctx, kind, create); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenServerAccounts is [OpenAccounts] for a database of a server.
func OpenServerAccounts(ctx context.Context, db *sql.DB, kind storeurl.Kind) (*Accounts, error) {
	table := &accounts{db: db, sql: dialects[kind], server: true}
	if _, err := table.ensure(ctx, kind, false); err != nil {
		return nil, err
	}
	return &Accounts{table}, nil
}

// querier is a transaction or a connection.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// ensure returns the issuer of the accounts. It changes nothing, and takes no lock, if the tables
// are up to date: so a user without the right to make tables can run a server.
func (a *accounts) ensure(ctx context.Context, kind storeurl.Kind, create bool) (issuer string, err error) {
	latest := 1 + len(a.sql.upgrades)
	found, issuer, err := a.version(ctx, a.db)
	switch {
	case err != nil:
		return "", err
	case found > latest:
		return "", fmt.Errorf("users: the tables have version %d, and this program supports versions up to %d: use a newer nestsession", found, latest)
	case found == latest:
		return issuer, nil
	case !create:
		return "", ErrNoTables
	}
	ctx, cancel := context.WithTimeout(ctx, migrateTime)
	defer cancel()
	locked := lockedPostgres
	if kind == storeurl.MySQL {
		locked = lockedMySQL
	}
	err = locked(ctx, a.db, func(q querier) error {
		issuer, err = a.migrate(ctx, q)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("users: making the tables: %w", err)
	}
	return issuer, nil
}

// migrate makes the tables, or changes those of an earlier version. Only one process is here at a
// time, but others may have been here before.
func (a *accounts) migrate(ctx context.Context, q querier) (issuer string, err error) {
	for _, table := range a.sql.tables {
		if _, err := q.ExecContext(ctx, table); err != nil {
			return "", err
		}
	}
	found, issuer, err := a.version(ctx, q)
	if err != nil {
		return "", err
	}
	latest := 1 + len(a.sql.upgrades)
	if found >= latest {
		return issuer, nil
	}
	if found == 0 {
		found, issuer = 1, newIssuer()
	}
	for _, upgrade := range a.sql.upgrades[found-1:] {
		if _, err := q.ExecContext(ctx, upgrade); err != nil {
			return "", err
		}
	}
	_, err = q.ExecContext(ctx, a.sql.enter, latest, issuer)
	return issuer, err
}

// lockedPostgres calls do in a transaction in which no other process is at the same time. All that
// it does is done, or nothing.
func lockedPostgres(ctx context.Context, db *sql.DB, do func(querier) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()                                                                                 //nolint:errcheck // after Commit it has nothing to do
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(7310586126549938035)`); err != nil { // a random number
		return err
	}
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// lockedMySQL does the same without a transaction, because MySQL commits after each table. What a
// process has left undone the next one does.
func lockedMySQL(ctx context.Context, db *sql.DB, do func(querier) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var got sql.NullInt64
	// The names of locks are those of the whole server.
	if err := conn.QueryRowContext(ctx, `SELECT GET_LOCK(CONCAT('nest_users ', SHA1(DATABASE())), 60)`).Scan(&got); err != nil {
		return err
	}
	if got.Int64 != 1 {
		return errors.New("another process is creating them and does not finish")
	}
	err = do(conn)
	free, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	// Without an answer the connection is closed, and the server frees the lock.
	_, freed := conn.ExecContext(free, `DO RELEASE_LOCK(CONCAT('nest_users ', SHA1(DATABASE())))`)
	return errors.Join(err, freed)
}

// version returns 0 if there are no tables.
func (a *accounts) version(ctx context.Context, q querier) (version int, issuer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err = q.QueryRowContext(ctx, a.sql.version).Scan(&version, &issuer)
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	if errors.Is(err, sql.ErrNoRows) || errors.As(err, &pg) && pg.Code == "42P01" || errors.As(err, &my) && my.Number == 1146 {
		return 0, "", nil
	}
	return version, issuer, err
}

func newIssuer() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return hex.EncodeToString(b[:])
}
