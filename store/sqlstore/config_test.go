package sqlstore

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
)

// New returns an error for a Config that cannot work, which says what to set.
func TestConfigsThatCannotWork(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config Config
		want   string
	}{
		"nothing":             {Config{}, "Config.Dialect"},
		"no such dialect":     {Config{Dialect: 4}, "Config.Dialect"},
		"no such layout":      {Config{Dialect: SQLite, Layout: 9}, "Layout(9)"},
		"layout of another":   {Config{Dialect: SQLite, Layout: ConnectPgSimple}, "ConnectPgSimple is for Postgres, but Config.Dialect is SQLite"},
		"no DB":               {Config{Dialect: SQLite}, "Config.DB is nil"},
		"owner, native":       {Config{Dialect: SQLite, OwnerColumn: "owner"}, "native table uses none"},
		"zone, native":        {Config{Dialect: Postgres, TimeZone: "UTC"}, "native table uses none"},
		"TTL, native":         {Config{Dialect: Postgres, TTL: 1}, "native table uses none"},
		"zone elsewhere":      {Config{Dialect: MySQL, Layout: ExpressMySQLSession, TimeZone: "UTC"}, "keeps instants"},
		"negative TTL":        {Config{Dialect: SQLite, Layout: ConnectSQLite3, TTL: -2}, "NoTTL"},
		"negative batch":      {Config{Dialect: SQLite, SweepBatch: -1}, "SweepBatch is -1"},
		"huge batch":          {Config{Dialect: SQLite, SweepBatch: 10001}, "SweepBatch is 10001"},
		"NUL in a name":       {Config{Dialect: SQLite, Table: "a\x00b"}, "Config.Table"},
		"no UTF-8 in a name":  {Config{Dialect: SQLite, Schema: "\xff"}, "Config.Schema"},
		"NUL in a column":     {Config{Dialect: SQLite, Columns: Columns{Data: "\x00"}}, "Config.Columns.Data"},
		"one column twice":    {Config{Dialect: SQLite, Columns: Columns{Data: "ID"}}, `Config.Columns.ID and Config.Columns.Data are both "ID"`},
		"the owner twice":     {Config{Dialect: MySQL, Layout: ExpressMySQLSession, OwnerColumn: "data"}, "are both"},
		"long for PostgreSQL": {Config{Dialect: Postgres, Table: strings.Repeat("세", 22)}, "longer than the 63"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(t.Context(), test.config)
			if err == nil || !strings.HasPrefix(err.Error(), "sqlstore: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New: %v, want %q", err, test.want)
			}
			if test.config.Dialect == 0 || name == "no DB" {
				return
			}
			if _, err := Statements(test.config); err == nil {
				t.Error("Statements took it")
			}
		})
	}
}

// In PostgreSQL names of columns differ by case, and a name of 63 bytes is not cut.
func TestConfigsThatWork(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{
		{Dialect: Postgres, Columns: Columns{Data: "ID"}},
		{Dialect: Postgres, Table: strings.Repeat("세", 21)},
		{Dialect: MySQL, Table: strings.Repeat("세", 64)},
	} {
		if _, err := Statements(c); err != nil {
			t.Error(err)
		}
	}
}

// down is a database that cannot be reached.
type down struct{}

var errDown = errors.New("refused")

func (down) Open(string) (driver.Conn, error) { return nil, errDown }

func TestDatabaseThatCannotBeReached(t *testing.T) {
	t.Parallel()
	sql.Register("down", down{})
	db, err := sql.Open("down", "user:password@host")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	_, err = New(t.Context(), Config{DB: db, Dialect: Postgres})
	if !errors.Is(err, errDown) || !strings.HasPrefix(err.Error(), "sqlstore: ") || strings.Contains(err.Error(), "password") {
		t.Errorf("New: %v", err)
	}
}

func TestNamesOfConstants(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		SQLite.String(): "SQLite", Postgres.String(): "Postgres", MySQL.String(): "MySQL", Dialect(0).String(): "Dialect(0)",
		Native.String(): "Native", BetterSQLite3SessionStore.String(): "BetterSQLite3SessionStore", Layout(-1).String(): "Layout(-1)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
