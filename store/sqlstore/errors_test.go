package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nestsession/session/store"
)

// Errors like those of drivers, of which this module imports none.
type (
	mysqlError struct { // github.com/go-sql-driver/mysql
		Number   uint16
		SQLState [5]byte
		Message  string
	}
	pgError    struct{ state string } // pgx, lib/pq
	pgDetailed struct {               // pgx, lib/pq
		Code, Message, Detail, Hint, Where, InternalQuery string
	}
	modernError struct{ code int } // modernc.org/sqlite
	errNo       int
	mattnError  struct { // github.com/mattn/go-sqlite3
		Code         errNo
		ExtendedCode int
	}
	ncrucesError struct{ busy bool } // github.com/ncruces/go-sqlite3
)

func (e *mysqlError) Error() string     { return e.Message }
func (e *pgError) Error() string        { return e.state }
func (e *pgError) SQLState() string     { return e.state }
func (e *pgDetailed) Error() string     { return e.Message }
func (e *pgDetailed) SQLState() string  { return e.Code }
func (e *modernError) Error() string    { return fmt.Sprint(e.code) }
func (e *modernError) Code() int        { return e.code }
func (e mattnError) Error() string      { return fmt.Sprint(e.Code) }
func (e *ncrucesError) Error() string   { return fmt.Sprint(e.busy) }
func (e *ncrucesError) Temporary() bool { return e.busy }

func TestWhatPasses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		dialect Dialect
		err     error
		want    bool
	}{
		{Postgres, &pgError{"40001"}, true},
		{Postgres, &pgError{"40P01"}, true},
		{Postgres, &pgError{"23505"}, false},
		{MySQL, &mysqlError{Number: 1213}, true},
		{MySQL, &mysqlError{Number: 1205}, true},
		{MySQL, &mysqlError{Number: 1146}, false},
		{SQLite, &modernError{5}, true},
		{SQLite, &modernError{6 | 1<<8}, true},
		{SQLite, &modernError{5 | 2<<8}, true},
		{SQLite, &modernError{13}, false},
		{SQLite, mattnError{Code: 5}, true},
		{SQLite, mattnError{Code: 1}, false},
		{SQLite, &ncrucesError{true}, true},
		{SQLite, &ncrucesError{false}, false},
		{SQLite, errors.New("other"), false},
		{Postgres, context.DeadlineExceeded, false},
	}
	for _, test := range tests {
		if got := dialects[test.dialect].isTransient(fmt.Errorf("wrapped: %w", test.err)); got != test.want {
			t.Errorf("%v: %T %v passes: %v, want %v", test.dialect, test.err, test.err, got, test.want)
		}
	}
}

// MySQL quotes the key or the data.
func TestErrorsTellNoValues(t *testing.T) {
	t.Parallel()
	s := &Store{def: &tableDef{}}
	tests := map[string]error{
		"duplicate": &mysqlError{Number: 1062, Message: "Duplicate entry 'the-id' for key 'PRIMARY'"},
		"string":    &mysqlError{Number: 1366, Message: `Incorrect string value: '\xF0\x9Fsecret' for column 'data'`},
		"partition": &mysqlError{Number: 1526, Message: "Table has no partition for value from secret"},
		"any":       errors.New("something about the-id"),
		"details": &pgDetailed{
			Code: "23505", Message: "duplicate key, says a trigger of the-id", Detail: "Key (sid)=(the-id) already exists.",
			Hint: "secret", Where: "secret", InternalQuery: "secret",
		},
	}
	for name, err := range tests {
		got := s.failed(t.Context(), "create", "the-id", err)
		if !strings.HasPrefix(got.Error(), "sqlstore: create: ") {
			t.Errorf("%s: %v", name, got)
		}
		for part := got; part != nil; part = errors.Unwrap(part) {
			text := fmt.Sprintf("%v", part)
			var pg *pgDetailed
			if errors.As(part, &pg) {
				text += fmt.Sprintf(" %+v", *pg)
			}
			if name != "any" && (strings.Contains(text, "the-id") || strings.Contains(text, "secret")) || strings.Contains(got.Error(), "the-id") {
				t.Errorf("%s: %s", name, text)
			}
		}
		if number(err, "Number") != number(got, "Number") || sqlState(err) != sqlState(got) {
			t.Errorf("%s: the database's code is lost", name)
		}
		if !errors.Is(got, err) {
			t.Errorf("%s: the driver's error is lost", name)
		}
	}
	if got := s.failed(t.Context(), "load", "the-id", store.ErrNotFound); got != store.ErrNotFound {
		t.Errorf("ErrNotFound became %v", got)
	}
}

// Drivers report an ended context in different ways.
func TestErrorOfAnEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	interrupted := errors.New("interrupted (9)")
	if err := (&Store{def: &tableDef{}}).failed(ctx, "load", "id", interrupted); !errors.Is(err, context.Canceled) || !errors.Is(err, interrupted) {
		t.Errorf("%v", err)
	}
}

// A call of a failed batch is done again only if the statement has certainly done nothing.
func TestWhatIsUndone(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{
		"40001": true, "40P01": true, "22P02": true, "23505": true, "42501": true, "53300": true, "57014": true,
		"": false, "08006": false, "57P01": false, "57P03": false, "58030": false, "F0000": false, "XX000": false,
	} {
		if err := fmt.Errorf("updating: %w", &pgError{state}); isUndone(err) != want {
			t.Errorf("isUndone of SQLSTATE %q is %v, want %v", state, !want, want)
		}
	}
	if isUndone(errors.New("connection reset by peer")) {
		t.Error("isUndone of what the server has not said is true")
	}
}
