package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/nestsession/session/store"
)

// fits checks that the table is one for sessions at all, before anything is added to
// what may be another program's.
func (s *Store) fits(is table) error {
	c := s.config
	if is.kind != "" {
		// PostgreSQL, for one, tells of none of them the xmin of what was written.
		return fmt.Errorf("sqlstore: %s is %s, and sessions need an ordinary table: name one", s.shape.table, is.kind)
	}
	for _, name := range []string{c.Columns.ID, c.Columns.Data, c.Columns.Expires} {
		switch col := is.column(name); {
		case col == nil:
			return fmt.Errorf("sqlstore: the table %s has no column %q; it has %s", s.shape.table, name, is.names())
		case col.generated:
			return fmt.Errorf("sqlstore: the column %q of %s is a generated one, which the store cannot write: make it an ordinary column", name, s.shape.table)
		}
	}
	if s.shape.native {
		if err := s.fitsNative(is); err != nil {
			return err
		}
	}
	if !is.unique(c.Columns.ID) {
		return fmt.Errorf("sqlstore: the column %q of %s is no primary key and has no unique index of its own: one id could be kept twice", c.Columns.ID, s.shape.table)
	}
	return nil
}

// adopt checks that the columns can keep sessions, and learns their limits.
func (s *Store) adopt(ctx context.Context, is table) error {
	c := s.config
	if err := s.fits(is); err != nil {
		return err
	}
	if err := s.rights(ctx); err != nil {
		return err
	}
	s.limits = limits{idBytes: MaxID, owner: MaxOwner}
	if s.shape.native {
		s.adoptNative(is)
		return nil
	}
	s.limits.utf8 = true
	owner := is.column(c.OwnerColumn)
	if owner != nil && !s.shape.derived {
		s.limits.owner = int(min(int64(MaxOwner), cmp.Or(owner.bytes, owner.runes, MaxOwner)))
	}
	if owner != nil && owner.generated != s.shape.derived {
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

// What a column is at the least, and what an error advises.
const (
	roomyID    = 128
	roomyOwner = 64
)

// roomy refuses columns that are too narrow for what package session writes. What is
// longer databases refuse, or cut.
func (s *Store) roomy() error {
	record := store.Record{ID: trialID(s.shape.native), Data: make([]byte, trialData)}
	switch {
	case s.limits.id(record.ID) != nil:
		return fmt.Errorf("sqlstore: the column %q of %s is too narrow: ids have up to %d characters; make it a varchar(%d)", s.config.Columns.ID, s.shape.table, len(record.ID), roomyID)
	case s.limits.data > 0 && s.limits.data < trialData:
		return fmt.Errorf("sqlstore: the column %q of %s is too narrow: it keeps %d bytes, and a session can have %d and more; make it as large as Statements has it", s.config.Columns.Data, s.shape.table, s.limits.data, trialData)
	case s.limits.owner < roomyOwner:
		return fmt.Errorf("sqlstore: the column %q of %s is too narrow: it keeps %d bytes; make it as large as Statements has it", s.config.OwnerColumn, s.shape.table, s.limits.owner)
	}
	return nil
}

// rights asks PostgreSQL, which looks at them when a statement is run, for those that the
// statements need. MySQL looks at them when they are prepared.
func (s *Store) rights(ctx context.Context) error {
	if s.shape.dialect != Postgres {
		return nil
	}
	var all bool
	err := s.try(ctx, func() error {
		return s.config.DB.QueryRowContext(ctx, `SELECT bool_and(has_table_privilege(to_regclass($1::text), p))
			FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p`, s.shape.table).Scan(&all)
	})
	if err != nil {
		return s.failed(ctx, "asking for the rights on "+s.shape.table, "", err)
	}
	if !all {
		return fmt.Errorf("sqlstore: the user may not use the table: GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO it", s.shape.table)
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

// fitsNative checks the types of the native table, for somebody may have made it by
// hand: texts that are compared without regard to case, or as numbers, would mix
// sessions up.
func (s *Store) fitsNative(is table) error {
	c := s.config
	types := map[Dialect]struct{ text, data, number string }{
		Postgres: {"bytea", "bytea", "bigint"},
		MySQL:    {"varbinary", "blob", "bigint"},
		SQLite:   {"text", "text", "integer"},
	}[c.Dialect]
	for _, must := range []struct{ column, typ string }{
		{c.Columns.ID, types.text}, {c.Columns.Data, types.data}, {c.Columns.Expires, types.number},
		{c.OwnerColumn, types.text}, {dueColumn, types.number},
	} {
		col := is.column(must.column)
		if col == nil || must.column == dueColumn && !c.hasDue() { // one that can be added, or another's
			continue
		}
		typ := col.typ
		if c.Dialect == SQLite {
			typ = affinity(typ)
		}
		if !strings.Contains(typ, must.typ) {
			return fmt.Errorf("sqlstore: the column %q of %s has the type %s, want %s, as Statements has it", must.column, s.shape.table, col.typ, must.typ)
		}
	}
	return nil
}

// affinity is what SQLite turns values of the column's type into; see
// https://sqlite.org/datatype3.html#determination_of_column_affinity.
func affinity(typ string) string {
	has := func(part string) bool { return strings.Contains(typ, part) }
	switch {
	case has("int"):
		return "integer"
	case has("char"), has("clob"), has("text"):
		return "text"
	}
	return "other"
}

// adoptNative learns the limits of the native table.
func (s *Store) adoptNative(is table) {
	c := s.config
	if c.Dialect == MySQL {
		s.limits.idBytes = int(min(int64(MaxID), is.column(c.Columns.ID).bytes))
		s.limits.owner = int(min(int64(MaxOwner), is.column(c.OwnerColumn).bytes))
		s.limits.data = int(is.column(c.Columns.Data).bytes)
	}
}

// adoptPostgres finds out in what time zone the column's times are.
func (s *Store) adoptPostgres(ctx context.Context, is table) error {
	c := s.config
	refuse := func(col *column, want string) error {
		return fmt.Errorf("sqlstore: the column %q of %s has the type %s, want %s", col.name, s.shape.table, col.typ, want)
	}
	switch id := is.column(c.Columns.ID); id.typ {
	case "character varying", "text", "citext":
		s.limits.idRunes = int(id.runes)
	default:
		return refuse(id, "varchar") // char cannot tell how many spaces an id ends with
	}
	switch data := is.column(c.Columns.Data); data.typ {
	case "json", "jsonb", "text", "character varying":
	default:
		return refuse(data, "json")
	}
	switch col := is.column(c.Columns.Expires); col.typ {
	case "timestamp with time zone":
		s.shape.times = timestamps{}
		return nil
	case "timestamp without time zone":
	default:
		return refuse(col, "timestamp")
	}
	zone := c.TimeZone
	if zone == "" {
		err := s.try(ctx, func() (err error) {
			zone, err = c.defaultZone(ctx)
			return err
		})
		if err != nil {
			return s.failed(ctx, "finding out the time zone of "+s.shape.table, "", err)
		}
	}
	s.zone = zone
	quoted := c.Dialect.literal(zone)
	s.shape.times = timestamps{zone: quoted}
	_, err := c.DB.ExecContext(ctx, "SELECT now() AT TIME ZONE "+quoted)
	return s.failed(ctx, fmt.Sprintf("the time zone %q", zone), "", err)
}

// defaultZone is the time zone that the database gives a connection that asks for
// none, as Node's do not. This connection's own may be another one: by its
// connection string, or by a SET since.
func (c Config) defaultZone(ctx context.Context) (zone string, err error) {
	tx, err := c.DB.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "SET LOCAL TimeZone TO DEFAULT"); err != nil {
		return "", err
	}
	var source string
	if err := tx.QueryRowContext(ctx, "SELECT setting, source FROM pg_settings WHERE name = 'TimeZone'").Scan(&zone, &source); err != nil {
		return "", err
	}
	if source == "client" {
		return "", errors.New("the column has none, and the connection string asks for a time zone, which hides the database's own: leave it out of the string, or set Config.TimeZone to the zone of the other program's connections (SHOW TimeZone there)")
	}
	return zone, nil
}

// adoptMySQL learns the limits of the columns, which older versions of
// express-mysql-session made smaller, and operators larger.
func (s *Store) adoptMySQL(is table) error {
	c := s.config
	id, data, expires := is.column(c.Columns.ID), is.column(c.Columns.Data), is.column(c.Columns.Expires)
	refuse := func(col *column, want string) error {
		return fmt.Errorf("sqlstore: the column %q of %s has the type %s, want %s", col.name, s.shape.table, col.typ, want)
	}
	switch {
	case !strings.HasPrefix(id.typ, "varchar") && !strings.HasPrefix(id.typ, "varbinary"):
		return refuse(id, "varchar")
	case data.typ == "json":
		return fmt.Errorf("%w: json rewrites documents, which the store then could not recognise", refuse(data, "mediumtext"))
	case !strings.Contains(data.typ, "text"):
		return refuse(data, "mediumtext")
	case !strings.Contains(expires.typ, "int"):
		return refuse(expires, "int unsigned")
	}
	s.limits.idRunes, s.limits.data = int(id.runes), int(data.bytes)
	for col, basic := range map[*column]*bool{id: &s.limits.basicID, data: &s.limits.basicData} {
		switch col.charset {
		case "", "utf8mb4":
		case "utf8", "utf8mb3":
			*basic = true
		default:
			return fmt.Errorf("sqlstore: the column %q of %s has the character set %s, which cannot keep every document: convert the table to utf8mb4", col.name, s.shape.table, col.charset)
		}
	}
	most := int64(math.MaxInt32)
	switch {
	case strings.HasPrefix(expires.typ, "bigint"):
		most = lastTimestamp
	case strings.Contains(expires.typ, "unsigned"):
		most = math.MaxUint32
	}
	s.shape.times = seconds{most: most}
	return nil
}
