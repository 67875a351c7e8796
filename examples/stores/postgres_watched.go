package stores

import (
	"context"
	"io"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/store/sqlstore"
)

// PostgresWatched keeps sessions in a table of PostgreSQL, and those that are read often
// in the node's memory as well.
func PostgresWatched(ctx context.Context) (*Sessions, error) {
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, err
	}
	kept, err := pgxstore.New(ctx, pool, pgxstore.Config{Create: true})
	if err != nil {
		return nil, err
	}
	near, err := nearcache.New(kept, nearcache.Config{})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{os.Getenv("SESSION_SECRET")}, Store: near})
	if err != nil {
		return nil, err
	}
	return &Sessions{sessions, []io.Closer{closer(pool.Close), kept, near, sessions}}, nil
}

// PostgresWatchedBehindPgBouncer has statements go through the pooler, and listens on a
// connection of its own to the server.
func PostgresWatchedBehindPgBouncer(ctx context.Context, pooler, direct *pgxpool.Pool) (*pgxstore.Store, error) {
	return pgxstore.New(ctx, pooler, pgxstore.Config{Create: true, Direct: direct})
}

// PostgresWatchedWithNode shares the sessions of a Node application on connect-pg-simple
// 10, and sees what that does at once.
func PostgresWatchedWithNode(ctx context.Context, pool *pgxpool.Pool) (*pgxstore.Store, error) {
	return pgxstore.New(ctx, pool, pgxstore.Config{
		Layout:  sqlstore.ConnectPgSimple,
		OwnerOf: session.OwnerOf,
		Create:  true, // adds the trigger to Node's table
	})
}
