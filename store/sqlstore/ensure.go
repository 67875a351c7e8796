package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// ensure looks at the table and makes what is missing, or says what it is.
func (s *Store) ensure(ctx context.Context) (table, error) {
	c := s.config
	var is table
	look := func() (err error) {
		is, err = c.inspect(ctx, c.DB)
		return err
	}
	if err := s.try(ctx, look); err != nil {
		return is, s.failed(ctx, "looking at the table "+s.shape.table, "", err)
	}
	if is.exists {
		if err := s.fits(is); err != nil {
			return is, err
		}
	}
	todo := c.missing(is)
	if len(todo) == 0 {
		return is, nil
	}
	if !c.Create {
		what := "there is no table " + s.shape.table
		if is.exists {
			what = "the table " + s.shape.table + " lacks something"
		}
		return is, fmt.Errorf("sqlstore: %s: set Config.Create, or run:\n%s", what, strings.Join(todo, ";\n")+";")
	}
	if err := s.try(ctx, func() error { return s.makeTable(ctx) }); err != nil {
		return is, s.failed(ctx, "making the table "+s.shape.table, "", err)
	}
	if err := s.try(ctx, look); err != nil {
		return is, s.failed(ctx, "looking at the table "+s.shape.table, "", err)
	}
	return is, nil
}

// makeTable makes what is missing, on one connection and under a lock that the other
// nodes take as well.
func (s *Store) makeTable(ctx context.Context) (err error) {
	c := s.config
	conn, err := c.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	l := c.creationLock()
	for _, text := range l.begin {
		if _, err = conn.ExecContext(ctx, text); err != nil {
			break
		}
	}
	if err == nil {
		err = c.makeMissing(ctx, conn)
	}

	// Also where ctx has ended: the connection goes back to the pool.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err == nil {
		_, err = conn.ExecContext(late, l.commit)
	}
	if err != nil {
		// SQLite stays in the transaction if it cannot commit because somebody reads.
		_, _ = conn.ExecContext(late, l.rollback)
	}
	return err
}

func (c Config) makeMissing(ctx context.Context, conn *sql.Conn) error {
	is, err := c.inspect(ctx, conn)
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

// creationLock are the statements around making the table.
type creationLock struct {
	begin            []string
	commit, rollback string
}

// creationLock keeps other nodes out. In MySQL each statement that makes something is a
// transaction of its own, so that a lock by name is all there is; the name has room
// for 64 characters, hence the hash.
func (c Config) creationLock() creationLock {
	key := hash("nestsession " + c.tableName())
	switch c.Dialect {
	case Postgres:
		lock := fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", int64(key))
		return creationLock{[]string{"BEGIN", lock}, "COMMIT", "ROLLBACK"}
	case MySQL:
		name := fmt.Sprintf("'nestsession %x'", key)
		release := "DO RELEASE_LOCK(" + name + ")"
		return creationLock{[]string{"DO GET_LOCK(" + name + ", 30)"}, release, release}
	}
	return creationLock{[]string{"BEGIN IMMEDIATE"}, "COMMIT", "ROLLBACK"}
}
