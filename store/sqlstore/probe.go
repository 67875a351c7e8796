package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// probe finds out what the database is. With a wrong [Config.Dialect], statements would
// fail in odd ways, or worse, some would not.
func (c Config) probe(ctx context.Context) error {
	if err := c.DB.PingContext(ctx); err != nil {
		return err
	}
	is, err := c.detect(ctx)
	switch {
	case err != nil:
		return err
	case is != c.Dialect:
		return fmt.Errorf("Config.Dialect is %v, but the database is %v", c.Dialect, is)
	}
	return c.dialect().probe(ctx, c)
}

// detect tells the databases apart by queries that only some of them can answer.
func (c Config) detect(ctx context.Context) (Dialect, error) {
	var version string
	err := c.DB.QueryRowContext(ctx, "SELECT version()").Scan(&version)
	if err == nil {
		if strings.Contains(version, "CockroachDB") {
			return 0, errors.New("the database is CockroachDB, which has no xmin to tell versions by: it is not supported")
		}
		if strings.HasPrefix(version, "PostgreSQL") {
			return Postgres, nil
		}
		return MySQL, nil
	}
	if ctx.Err() != nil || c.dialect().isTransient(err) {
		return 0, err
	}
	if c.DB.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version) == nil {
		return SQLite, nil
	}
	return 0, err
}
