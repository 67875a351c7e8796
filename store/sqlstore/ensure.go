package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// ensure looks up the table and makes what is missing, or returns an error that says what
// is missing.
func (s *Store) ensure(ctx context.Context) (tableInfo, error) {
	c := s.config
	var is tableInfo
	look := func() (err error) {
		is, err = c.dialect().inspect(ctx, c, c.DB)
		return err
	}
	if err := s.try(ctx, look); err != nil {
		return is, s.failed(ctx, "looking up the table "+s.def.table, "", err)
	}
	if is.exists {
		if err := s.checkTable(is); err != nil {
			return is, err
		}
	}
	todo := c.missing(is)
	if len(todo) == 0 {
		return is, nil
	}
	if !c.Create {
		what := "there is no table " + s.def.table
		if is.exists {
			what = "the table " + s.def.table + " lacks something"
		}
		return is, fmt.Errorf("sqlstore: %s: set Config.Create, or run:\n%s", what, strings.Join(todo, ";\n")+";")
	}
	if err := s.try(ctx, func() error { return s.makeTable(ctx) }); err != nil {
		return is, s.failed(ctx, "making the table "+s.def.table, "", err)
	}
	if err := s.try(ctx, look); err != nil {
		return is, s.failed(ctx, "looking up the table "+s.def.table, "", err)
	}
	return is, nil
}

// makeTable makes what is missing, on one connection and under a lock that other nodes
// take as well.
func (s *Store) makeTable(ctx context.Context) (err error) {
	c := s.config
	conn, err := c.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	l := c.dialect().creationLock(hash("nestsession " + c.tableName()))
	for _, text := range l.begin {
		if _, err = conn.ExecContext(ctx, text); err != nil {
			break
		}
	}
	if err == nil {
		err = c.makeMissing(ctx, conn)
	}

	// Also if ctx has ended: the connection goes back to the pool.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err == nil {
		_, err = conn.ExecContext(late, l.commit)
	}
	if err != nil {
		// SQLite stays in the transaction if it cannot commit while another connection reads.
		_, _ = conn.ExecContext(late, l.rollback)
	}
	return err
}

func (c Config) makeMissing(ctx context.Context, conn *sql.Conn) error {
	is, err := c.dialect().inspect(ctx, c, conn)
	if err != nil {
		return err
	}
	for _, text := range c.missing(is) {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("%w; the statement was: %s", err, text)
		}
	}
	return nil
}
