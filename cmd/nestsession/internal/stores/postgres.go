package stores

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store/sqlstore"
)

// openPostgres opens a database that publishes changes.
func openPostgres(ctx context.Context, t *storeurl.Target, o Options) (opened *Opened, err error) {
	to, err := pgxpool.ParseConfig(postgresURL(t))
	if err != nil {
		return nil, err
	}
	if t.Password() != "" {
		to.ConnConfig.Password = t.Password()
	}
	if o.Conns > 1<<15 {
		return nil, fmt.Errorf("%d connections are more than PostgreSQL allows", o.Conns)
	}
	to.MaxConns, to.MaxConnIdleTime = int32(o.Conns), idleTime
	// Its connections outlive the opening.
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), to)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			pool.Close()
		}
	}()
	cfg := pgxstore.Config{
		Layout:      sqlLayouts[t.Layout],
		Schema:      t.Schema,
		Table:       t.Table,
		Columns:     sqlstore.Columns(t.Columns),
		OwnerColumn: t.OwnerColumn,
		TimeZone:    t.TimeZone,
		TTL:         t.TTL,
		Create:      t.Create != nil && *t.Create,
		Logger:      o.Logger,
	}
	if t.PlainIDs() {
		cfg.OwnerOf = session.OwnerOf
	}
	if !o.Sweep {
		cfg.SweepInterval = never
	}
	kept, err := pgxstore.New(ctx, pool, cfg)
	if err != nil {
		return nil, err
	}
	count := func(ctx context.Context) (n int64, err error) {
		err = pool.QueryRow(ctx, "SELECT count(*) FROM "+t.QuotedTable()).Scan(&n)
		return n, err
	}
	end := func() error { pool.Close(); return nil }
	return &Opened{Store: kept, Target: t, count: count, close: closers{kept.Close, end}}, nil
}
