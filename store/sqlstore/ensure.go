package sqlstore

import (
	"context"
	"errors"
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
	if err := s.try(ctx, func() error { return c.create(ctx) }); err != nil {
		return is, s.failed(ctx, "making the table "+s.shape.table, "", err)
	}
	if err := s.try(ctx, look); err != nil {
		return is, s.failed(ctx, "looking at the table "+s.shape.table, "", err)
	}
	return is, nil
}

// lockWait is how many seconds a node waits for another that makes the table.
const lockWait = 30

// create makes what is missing, on one connection and under a lock that the other
// nodes take as well.
func (c Config) create(ctx context.Context) (err error) {
	conn, err := c.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	key := "nestsession " + c.tableName()
	var lock, unlock, undo string
	switch c.Dialect {
	case SQLite:
		lock, unlock, undo = "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"
	case Postgres:
		lock, unlock, undo = "BEGIN", "COMMIT", "ROLLBACK"
	case MySQL:
		key = fmt.Sprintf("nestsession %x", hash(key)) // a name of a lock has 64 characters
		lock = fmt.Sprintf("DO GET_LOCK('%s', %d)", key, lockWait)
		unlock = fmt.Sprintf("DO RELEASE_LOCK('%s')", key)
		undo = unlock
	}
	if _, err := conn.ExecContext(ctx, lock); err != nil {
		return err
	}
	defer func() {
		last := unlock
		if err != nil {
			last = undo
		}
		// Also where ctx has ended: the connection goes back to the pool.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, failed := conn.ExecContext(late, last); err == nil {
			err = failed
		}
	}()
	if c.Dialect == Postgres {
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", int64(hash(key)))); err != nil {
			return err
		}
	}
	is, err := c.inspect(ctx, conn)
	if err != nil {
		return err
	}
	for _, statement := range c.missing(is) {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%w; the statement was: %s", err, statement)
		}
	}
	return nil
}

// adopt checks that the columns can keep sessions, and learns their limits.
func (s *Store) adopt(ctx context.Context, is table) error {
	c := s.config
	for _, name := range []string{c.Columns.ID, c.Columns.Data, c.Columns.Expires} {
		if is.column(name) == nil {
			return fmt.Errorf("sqlstore: the table %s has no column %q; it has %s", s.shape.table, name, is.names())
		}
	}
	if !is.unique(c.Columns.ID) {
		return fmt.Errorf("sqlstore: the column %q of %s is no primary key and has no unique index of its own: one id could be kept twice", c.Columns.ID, s.shape.table)
	}
	s.limits = limits{idBytes: MaxID, owner: MaxOwner}
	if s.shape.native {
		return s.adoptNative(is)
	}
	s.limits.utf8 = true
	if owner := is.column(c.OwnerColumn); owner != nil && owner.generated != s.shape.derived {
		if s.shape.derived {
			return fmt.Errorf("sqlstore: the column %q of %s is one that can be written, and the program whose table it is inserts rows without naming columns: it would fail; drop the column and let Config.Create add it", c.OwnerColumn, s.shape.table)
		}
		return fmt.Errorf("sqlstore: the column %q of %s is a generated one, which the store cannot write", c.OwnerColumn, s.shape.table)
	}
	switch c.Dialect {
	case Postgres:
		return s.adoptPostgres(ctx, is)
	case MySQL:
		return s.adoptMySQL(is)
	}
	return nil
}

func (t table) names() string {
	var names []string
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// adoptNative checks the types of the native table, for somebody may have made it by
// hand: texts that are compared without regard to case would mix sessions up.
func (s *Store) adoptNative(is table) error {
	c := s.config
	kinds := map[Dialect][3]string{
		Postgres: {"bytea", "bytea", "bigint"},
		MySQL:    {"varbinary", "blob", "bigint"},
	}
	want, ok := kinds[c.Dialect]
	if !ok {
		return nil
	}
	for i, name := range []string{c.Columns.ID, c.Columns.Data, c.Columns.Expires, c.OwnerColumn} {
		kind := want[i%3]
		if col := is.column(name); !strings.Contains(col.typ, kind) {
			return fmt.Errorf("sqlstore: the column %q of %s has the type %s, want %s, as Statements has it", name, s.shape.table, col.typ, kind)
		}
	}
	if c.Dialect == MySQL {
		s.limits.idBytes = int(min(int64(MaxID), is.column(c.Columns.ID).bytes))
		s.limits.owner = int(min(int64(MaxOwner), is.column(c.OwnerColumn).bytes))
		s.limits.data = int(is.column(c.Columns.Data).bytes)
	}
	return nil
}

var errJSON = errors.New("MySQL's type json rewrites documents, which the store then could not recognise: use mediumtext, as express-mysql-session does")
