package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/nestsession/session/store"
)

// failed is the error that a call returns: a sentinel of package store unchanged, and any
// other error with the call's name and without the session's values.
func (s *Store) failed(ctx context.Context, what, id string, err error) error {
	if err == nil {
		return nil
	}
	for _, sentinel := range []error{store.ErrNotFound, store.ErrExists, store.ErrConflict} {
		if err == sentinel {
			return err
		}
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		// Drivers report it in different ways ("interrupted").
		return fmt.Errorf("sqlstore: %s: %w (%w)", what, ended, redact(err, id))
	}
	if isDenied(err) {
		return fmt.Errorf("sqlstore: %s: %w; the user needs GRANT SELECT, INSERT, UPDATE, DELETE ON %s", what, redact(err, id), s.def.table)
	}
	return fmt.Errorf("sqlstore: %s: %w", what, redact(err, id))
}

// isDenied reports whether a right is missing.
func isDenied(err error) bool {
	if sqlState(err) == "42501" {
		return true
	}
	switch number(err, "Number") {
	case mysqlDenied, mysqlColumnDenied:
		return true
	}
	return false
}

// sqlState is the SQLSTATE of an error of a PostgreSQL driver, such as pgx and lib/pq.
func sqlState(err error) string {
	var e interface{ SQLState() string }
	if !errors.As(err, &e) {
		return ""
	}
	return e.SQLState()
}

// ownError is an error of this package, which holds no value of a session.
type ownError string

func (e ownError) Error() string { return string(e) }

// The error numbers of MySQL that the store knows.
const (
	mysqlDuplicate         = 1062
	mysqlDenied            = 1142
	mysqlColumnDenied      = 1143
	mysqlLockTimeout       = 1205
	mysqlDeadlock          = 1213
	mysqlWrongValue        = 1292
	mysqlWrongString       = 1366
	mysqlWrongValueForType = 1411
	mysqlNoPartition       = 1526
	mysqlOutOfRange        = 1690
)

func isDuplicate(err error) bool { return number(err, "Number") == mysqlDuplicate }

// number is a number in a driver's error, read without importing the driver: the field
// Number of go-sql-driver/mysql, and Code of the drivers for SQLite, which is a method of
// some. It is 0 if there is none.
func number(err error, field string) int64 {
	for ; err != nil; err = errors.Unwrap(err) {
		if c, ok := err.(interface{ Code() int }); ok && field == "Code" {
			return int64(c.Code())
		}
		v := reflect.ValueOf(err)
		for v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			continue
		}
		switch f := v.FieldByName(field); {
		case !f.IsValid():
		case f.CanInt():
			return f.Int()
		case f.CanUint():
			return int64(f.Uint())
		}
	}
	return 0
}
