package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// probe asks the database what it is. A wrong [Config.Dialect] would show in
// statements that fail in odd ways, or worse, in some that do not.
func (c Config) probe(ctx context.Context) error {
	if err := c.DB.PingContext(ctx); err != nil {
		return err
	}
	is, err := c.speaks(ctx)
	switch {
	case err != nil:
		return err
	case is != c.Dialect:
		return fmt.Errorf("Config.Dialect is %v, but the database is %v", c.Dialect, is)
	case c.Dialect == SQLite:
		return c.probeSQLite(ctx)
	}
	return nil
}

// speaks finds out by questions that only some can answer.
func (c Config) speaks(ctx context.Context) (Dialect, error) {
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
	if ctx.Err() != nil || isTransient(c.Dialect, err) {
		return 0, err
	}
	if c.DB.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version) == nil {
		return SQLite, nil
	}
	return 0, err
}

// probeSQLite refuses databases in which a session would get lost.
func (c Config) probeSQLite(ctx context.Context) error {
	var encoding string
	if err := c.DB.QueryRowContext(ctx, "PRAGMA encoding").Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF-8" {
		return fmt.Errorf("the database keeps text as %s, which does not keep every id apart; make it anew with PRAGMA encoding = 'UTF-8'", encoding)
	}
	if c.DB.Stats().MaxOpenConnections == 1 {
		return nil
	}
	schema := c.schema()
	var file sql.NullString
	err := c.DB.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = ? COLLATE NOCASE", schema).Scan(&file)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("there is no attached database %q; ATTACH holds for one connection, so attach it in the driver's hook for new ones", schema)
	}
	if err != nil || file.String != "" {
		return err
	}
	return c.probeMemory(ctx, schema)
}

// probeMemory refuses a database in memory of which each connection has its own: a
// table that one connection makes is looked for on another.
func (c Config) probeMemory(ctx context.Context, schema string) error {
	one, err := c.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = one.Close() }()
	two, err := c.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = two.Close() }()
	mark := c.Dialect.quote(schema) + "." + c.Dialect.quote("nest_probe")
	if _, err := one.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+mark+" (a)"); err != nil {
		return err
	}
	_, shared := two.ExecContext(ctx, "SELECT a FROM "+mark)
	if _, err := one.ExecContext(ctx, "DROP TABLE IF EXISTS "+mark); err != nil {
		return err
	}
	if shared != nil && ctx.Err() == nil && !isTransient(SQLite, shared) {
		return errors.New("the database is in memory, and each connection has one of its own: call DB.SetMaxOpenConns(1), or name a file")
	}
	return nil
}
