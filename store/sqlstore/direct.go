package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// A row that database/sql reads under a context costs a goroutine, which waits for the
// context's end although the driver does so too. With one caller, that is a tenth of the
// time of a statement. So a single row is read by the methods of the driver, on a connection
// of the pool. This is done with pgx, which prepares a text by itself the first time that a
// connection is sent it. Other drivers would prepare it at each call.

// directDriver is the package of the driver whose methods are called.
const directDriver = "github.com/jackc/pgx/v5/stdlib"

// readDirectly sets what reads a single row: Config.Row, or rowDirect if the driver is one whose methods
// are called. A driver that is wrapped, for tracing, has another type.
func (s *Store) readDirectly(ctx context.Context) error {
	reader := rowReader(s.config.Row)
	if reader == nil {
		is, err := s.hasDirectDriver(ctx)
		if err != nil {
			return s.failed(ctx, "finding out what the driver is", "", err)
		}
		if is {
			reader = s.rowDirect
		}
	}
	for _, st := range s.q.all() {
		st.first = reader
	}
	return nil
}

func (s *Store) hasDirectDriver(ctx context.Context) (is bool, err error) {
	err = s.try(ctx, func() error {
		conn, err := s.config.DB.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		return conn.Raw(func(c any) error {
			t := reflect.TypeOf(c)
			_, queries := c.(driver.QueryerContext)
			is = queries && t.Kind() == reflect.Pointer && t.Elem().PkgPath() == directDriver
			return nil
		})
	})
	return is, err
}

// rowDirect is a [Config.Row] that calls the driver's methods.
func (s *Store) rowDirect(ctx context.Context, text string, args, dest []any) error {
	conn, err := s.config.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.Raw(func(c any) (err error) {
		named := make([]driver.NamedValue, len(args))
		for i, arg := range args {
			named[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
		}
		rows, err := c.(driver.QueryerContext).QueryContext(ctx, text, named)
		if err != nil {
			return err
		}
		err = scanRow(rows, dest)
		// The database may fail after it has sent the row.
		return errors.Join(err, rows.Close())
	})
}

func scanRow(rows driver.Rows, dest []any) error {
	row := make([]driver.Value, len(dest))
	if err := rows.Next(row); errors.Is(err, io.EOF) {
		return sql.ErrNoRows
	} else if err != nil {
		return err
	}
	for i, d := range dest {
		if err := assign(d, row[i]); err != nil {
			return err
		}
	}
	return nil
}

// assign stores a value of a driver, as Scan of database/sql does.
func assign(dest any, value driver.Value) error {
	switch d := dest.(type) {
	case *[]byte:
		switch v := value.(type) {
		case []byte:
			*d = v
			return nil
		case string:
			*d = []byte(v)
			return nil
		case nil:
			*d = nil
			return nil
		}
	case *int64:
		if v, ok := value.(int64); ok {
			*d = v
			return nil
		}
	case sql.Scanner:
		return d.Scan(value)
	}
	return ownError(fmt.Sprintf("the driver returned %T for %T", value, dest))
}
