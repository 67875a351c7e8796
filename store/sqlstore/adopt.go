package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
)

// adoptPostgres finds out in what time zone the column's times are.
func (s *Store) adoptPostgres(ctx context.Context, is table) error {
	c := s.config
	switch col := is.column(c.Columns.Expires); col.typ {
	case "timestamp with time zone":
		s.shape.times = timestamps{}
		return nil
	case "timestamp without time zone":
	default:
		return fmt.Errorf("sqlstore: the column %q of %s has the type %s, want timestamp", c.Columns.Expires, s.shape.table, col.typ)
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
		return fmt.Errorf("%w: %w", refuse(data, "mediumtext"), errJSON)
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
