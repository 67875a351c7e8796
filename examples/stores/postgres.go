package stores

import (
	"context"
	"database/sql"
	"io"
	"os"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/sqlstore"
)

// Postgres keeps sessions in a table of PostgreSQL.
func Postgres(ctx context.Context) (*Sessions, error) {
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	kept, err := sqlstore.New(ctx, sqlstore.Config{DB: db, Dialect: sqlstore.Postgres, Create: true})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{os.Getenv("SESSION_SECRET")}, Store: kept})
	if err != nil {
		return nil, err
	}
	return &Sessions{sessions, []io.Closer{db, kept}}, nil
}

// PostgresWithNode shares the sessions of a Node application on connect-pg-simple 10.
func PostgresWithNode(ctx context.Context, db *sql.DB) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, sqlstore.Config{
		DB: db, Dialect: sqlstore.Postgres,
		Layout:      sqlstore.ConnectPgSimple,
		OwnerOf:     session.OwnerOf,
		OwnerColumn: "nest_owner", Create: true, // adds the column, so that an index finds sessions by owner
		TTL: 24 * time.Hour, // connect-pg-simple's ttl
	})
}
