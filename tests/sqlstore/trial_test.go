package sqlstore_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// hindered is a table in which sessions cannot be kept, for a reason that does not show
// in the columns that the store uses.
type hindered struct {
	name   string
	layout sqlstore.Layout
	table  string   // what makes it
	want   []string // what New names
}

// connect is the table of connect-pg-simple with something more.
func connect(more string) string {
	return `CREATE TABLE session (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL` + more
}

func expressMySQL(more string) string {
	return "CREATE TABLE sessions (session_id varchar(128) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, expires int(11) unsigned NOT NULL, data mediumtext COLLATE utf8mb4_bin" + more
}

func connectSQLite(more string) string {
	return "CREATE TABLE sessions (sid TEXT PRIMARY KEY, expired, sess" + more
}

var hindrances = map[sqlstore.Dialect][]hindered{
	sqlstore.Postgres: {
		{"a column that wants a value", sqlstore.ConnectPgSimple, connect(", tenant int NOT NULL)"), []string{`"tenant"`, "NOT NULL", "DEFAULT"}},
		{"native, a column that wants a value", sqlstore.Native, `CREATE TABLE nest_sessions (id bytea PRIMARY KEY, owner bytea NOT NULL DEFAULT '', expires bigint NOT NULL, due bigint NOT NULL DEFAULT 0, data bytea NOT NULL, tenant int NOT NULL); CREATE INDEX a ON nest_sessions (owner); CREATE INDEX b ON nest_sessions (due)`, []string{`"tenant"`, "DEFAULT"}},
		{"no partition", sqlstore.ConnectPgSimple, connect(") PARTITION BY HASH (sid)"), []string{"a partitioned table", "ordinary table"}},
		{"some partitions", sqlstore.ConnectPgSimple, connect(`) PARTITION BY LIST (sid); CREATE TABLE s1 PARTITION OF session FOR VALUES IN ('a')`), []string{"a partitioned table"}},
		{"no key over partitions", sqlstore.ConnectPgSimple, `CREATE TABLE session (sid varchar, sess json, expire timestamp(6) NOT NULL, PRIMARY KEY (sid, expire)) PARTITION BY RANGE (expire); CREATE TABLE s1 PARTITION OF session DEFAULT`, []string{"a partitioned table"}},
		{"a check", sqlstore.ConnectPgSimple, connect(", CONSTRAINT small CHECK (length(sess::text) < 100))"), []string{`"small"`, "CHECK"}},
		{"a generated column", sqlstore.ConnectPgSimple, `CREATE TABLE session (sid varchar PRIMARY KEY, sess json GENERATED ALWAYS AS ('{}') STORED, expire timestamp(6))`, []string{`"sess"`, "generated"}},
		{"a narrow id", sqlstore.ConnectPgSimple, `CREATE TABLE session (sid varchar(32) PRIMARY KEY, sess json, expire timestamp(6))`, []string{`"sid"`, "too narrow", "varchar(128)"}},
		{"narrow data", sqlstore.ConnectPgSimple, `CREATE TABLE session (sid varchar PRIMARY KEY, sess varchar(255), expire timestamp(6))`, []string{"too narrow", "1024"}},
		{"unique data", sqlstore.ConnectPgSimple, `CREATE TABLE session (sid varchar PRIMARY KEY, sess text UNIQUE, expire timestamp(6))`, []string{"session_sess_key", "unique index"}},
		{"unique expiries", sqlstore.ConnectPgSimple, `CREATE TABLE session (sid varchar PRIMARY KEY, sess json, expire timestamp(6) UNIQUE)`, []string{"session_expire_key"}},
		{"a foreign key", sqlstore.ConnectPgSimple, `CREATE TABLE users (id varchar PRIMARY KEY); ` + connect(`, FOREIGN KEY (sid) REFERENCES users)`), []string{"foreign key"}},
		{"one that is looked at last", sqlstore.ConnectPgSimple, `CREATE TABLE users (id varchar PRIMARY KEY); ` + connect(`, who varchar NOT NULL DEFAULT 'nobody' REFERENCES users DEFERRABLE INITIALLY DEFERRED)`), []string{"foreign key"}},
		{"a trigger that raises", sqlstore.ConnectPgSimple, connect(`); CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'closed for the night'; END$$;
			CREATE TRIGGER no BEFORE DELETE ON session FOR EACH ROW EXECUTE FUNCTION no()`), []string{"closed for the night", "deleting one failed", "trigger"}},
		{"a trigger that leaves out", sqlstore.ConnectPgSimple, connect(`); CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
			CREATE TRIGGER no BEFORE UPDATE ON session FOR EACH ROW EXECUTE FUNCTION no()`), []string{"saving one failed", "trigger"}},
		{"a trigger that changes", sqlstore.ConnectPgSimple, connect(`); CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.expire := now() + interval '5 minutes'; RETURN NEW; END$$;
			CREATE TRIGGER no BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION no()`), []string{"was changed", "trigger"}},
		{"a rule", sqlstore.ConnectPgSimple, connect(`); CREATE RULE no AS ON DELETE TO session DO INSTEAD NOTHING`), []string{"deleting one failed", "rule"}},
		{"a view", sqlstore.ConnectPgSimple, strings.Replace(connect(")"), "session", "really", 1) + `; CREATE VIEW session AS SELECT * FROM really`, []string{"a view"}},
		{"hidden rows", sqlstore.ConnectPgSimple, connect(`); ALTER TABLE session ENABLE ROW LEVEL SECURITY; ALTER TABLE session FORCE ROW LEVEL SECURITY; CREATE POLICY p ON session FOR INSERT WITH CHECK (true)`), []string{"row level security", "CREATE POLICY"}},
		{"refused rows", sqlstore.ConnectPgSimple, connect(`); ALTER TABLE session ENABLE ROW LEVEL SECURITY; ALTER TABLE session FORCE ROW LEVEL SECURITY`), []string{"row level security", "CREATE POLICY"}},
	},
	sqlstore.MySQL: {
		{"a column that wants a value", sqlstore.ExpressMySQLSession, expressMySQL(", tenant int NOT NULL)"), []string{"'tenant'", "DEFAULT"}},
		{"native, a column that wants a value", sqlstore.Native, "CREATE TABLE nest_sessions (id varbinary(255) PRIMARY KEY, owner varbinary(255) NOT NULL DEFAULT '', expires bigint NOT NULL, data longblob NOT NULL, tenant int NOT NULL, KEY a (owner), KEY b (expires))", []string{"'tenant'"}},
		{"some partitions", sqlstore.ExpressMySQLSession, expressMySQL(") PARTITION BY LIST COLUMNS (session_id) (PARTITION p VALUES IN ('a'))"), []string{"no partition takes every session"}},
		{"a check", sqlstore.ExpressMySQLSession, expressMySQL(", CONSTRAINT small CHECK (length(data) < 100))"), []string{"`small`", "CHECK"}},
		{"a generated column", sqlstore.ExpressMySQLSession, "CREATE TABLE sessions (session_id varchar(128) PRIMARY KEY, data mediumtext, expires int unsigned AS (1) STORED)", []string{`"expires"`, "generated"}},
		{"a narrow id", sqlstore.ExpressMySQLSession, "CREATE TABLE sessions (session_id varchar(32) PRIMARY KEY, expires int unsigned, data mediumtext) CHARSET utf8mb4", []string{`"session_id"`, "too narrow", "varchar(128)"}},
		{"native, a narrow id", sqlstore.Native, "CREATE TABLE nest_sessions (id varbinary(32) PRIMARY KEY, owner varbinary(255) NOT NULL DEFAULT '', expires bigint NOT NULL, data longblob NOT NULL, KEY a (owner), KEY b (expires))", []string{`"id"`, "too narrow"}},
		{"native, narrow owners", sqlstore.Native, "CREATE TABLE nest_sessions (id varbinary(255) PRIMARY KEY, owner varbinary(8) NOT NULL DEFAULT '', expires bigint NOT NULL, data longblob NOT NULL, KEY a (owner), KEY b (expires))", []string{`"owner"`, "too narrow"}},
		{"narrow data", sqlstore.ExpressMySQLSession, "CREATE TABLE sessions (session_id varchar(128) PRIMARY KEY, expires int unsigned, data tinytext) CHARSET utf8mb4", []string{`"data"`, "too narrow"}},
		{"unique expiries", sqlstore.ExpressMySQLSession, expressMySQL(", UNIQUE KEY (expires))"), []string{"unique index"}},
		{"a foreign key", sqlstore.ExpressMySQLSession, expressMySQL(", who int NOT NULL DEFAULT 0, FOREIGN KEY (who) REFERENCES users (id))"), []string{"foreign key"}},
		{"a trigger that raises", sqlstore.ExpressMySQLSession, expressMySQL("); CREATE TRIGGER no BEFORE DELETE ON sessions FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'closed for the night'"), []string{"closed for the night", "deleting one failed", "trigger"}},
		{"a trigger that changes", sqlstore.ExpressMySQLSession, expressMySQL("); CREATE TRIGGER no BEFORE INSERT ON sessions FOR EACH ROW SET NEW.data = '{}'"), []string{"was changed", "trigger"}},
		{"a view", sqlstore.ExpressMySQLSession, strings.Replace(expressMySQL(")"), "sessions", "really", 1) + "; CREATE VIEW sessions AS SELECT * FROM really", []string{"a view"}},
		{"no transactions", sqlstore.ExpressMySQLSession, expressMySQL(", UNIQUE KEY (expires)) ENGINE=MyISAM"), []string{"unique index"}},
	},
	sqlstore.SQLite: {
		{"a column that wants a value", sqlstore.BetterSQLite3SessionStore, "CREATE TABLE sessions (sid TEXT NOT NULL PRIMARY KEY, sess JSON NOT NULL, expire TEXT NOT NULL, tenant INT NOT NULL)", []string{"sessions.tenant", "DEFAULT"}},
		{"native, a column that wants a value", sqlstore.Native, "CREATE TABLE nest_sessions (id TEXT PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', expires INTEGER NOT NULL, data TEXT NOT NULL, tenant INT NOT NULL); CREATE INDEX a ON nest_sessions (owner); CREATE INDEX b ON nest_sessions (expires)", []string{"nest_sessions.tenant"}},
		{"a check", sqlstore.ConnectSQLite3, connectSQLite(", CONSTRAINT small CHECK (length(sess) < 100))"), []string{"small", "CHECK"}},
		{"a generated column", sqlstore.ConnectSQLite3, "CREATE TABLE sessions (sid TEXT PRIMARY KEY, expired AS (1), sess)", []string{`"expired"`, "generated"}},
		{"unique data", sqlstore.ConnectSQLite3, "CREATE TABLE sessions (sid TEXT PRIMARY KEY, expired, sess UNIQUE)", []string{"sessions.sess", "unique index"}},
		{"a foreign key", sqlstore.ConnectSQLite3, "CREATE TABLE users (id TEXT PRIMARY KEY); " + connectSQLite(", FOREIGN KEY (sid) REFERENCES users (id))"), []string{"foreign key"}},
		{"a trigger that raises", sqlstore.ConnectSQLite3, connectSQLite("); CREATE TRIGGER no BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'closed for the night'); END"), []string{"closed for the night", "deleting one failed", "trigger"}},
		{"a trigger that leaves out", sqlstore.ConnectSQLite3, connectSQLite("); CREATE TRIGGER no BEFORE INSERT ON sessions BEGIN SELECT RAISE(IGNORE); END"), []string{"written nothing", "trigger"}},
		{"a view", sqlstore.ConnectSQLite3, "CREATE TABLE really (sid TEXT PRIMARY KEY, expired, sess); CREATE VIEW sessions AS SELECT * FROM really", []string{"a view"}},
	},
}

// script runs several statements. Those of a trigger's body stay together.
func script(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	if strings.Contains(text, "$$") || strings.Contains(text, "BEGIN") {
		run(t, db, text)
		return
	}
	for _, one := range strings.Split(text, "; ") {
		run(t, db, one)
	}
}

// What would make the first login fail is found by New, which names it and what to do,
// and leaves nothing behind.
func TestHinderedTables(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		for _, test := range hindrances[d] {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				db := newDatabase(t, d)
				more := ""
				if d == sqlstore.SQLite {
					more = "?_pragma=foreign_keys(1)"
				}
				c := sqlstore.Config{DB: db.open(t, more), Dialect: d, Layout: test.layout, SweepInterval: -1}
				if d == sqlstore.MySQL && strings.Contains(test.table, "REFERENCES") {
					run(t, c.DB, "CREATE TABLE users (id int PRIMARY KEY)")
				}
				script(t, c.DB, test.table)
				s, err := sqlstore.New(t.Context(), c)
				if err == nil {
					_ = s.Close()
					t.Fatal("New takes it")
				}
				for _, want := range test.want {
					if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) {
						t.Errorf("New: %v, want %q", err, want)
					}
				}
				if strings.Contains(err.Error(), "nestsession:link:") {
					t.Errorf("New tells the id: %v", err)
				}
				wantRows(t, c, 0)
			})
		}
	}
}

func wantRows(t *testing.T, c sqlstore.Config, want int) {
	t.Helper()
	table := "sessions"
	switch c.Layout {
	case sqlstore.Native:
		table = sqlstore.DefaultTable
	case sqlstore.ConnectPgSimple:
		table = "session"
	}
	var rows int
	if err := c.DB.QueryRow("SELECT count(*) FROM " + table).Scan(&rows); err != nil || rows != want {
		t.Errorf("the table has %d rows, %v; want %d", rows, err, want)
	}
}

// Tables that are unusual and can keep sessions are taken, and nothing is left in them.
func TestUnusualTables(t *testing.T) {
	t.Parallel()
	tests := map[sqlstore.Dialect][]hindered{
		sqlstore.Postgres: {
			{name: "defaults", layout: sqlstore.ConnectPgSimple, table: connect(", tenant int NOT NULL DEFAULT 1, at timestamptz NOT NULL DEFAULT now(), n bigserial, m bigint GENERATED ALWAYS AS IDENTITY)")},
			{name: "jsonb", layout: sqlstore.ConnectPgSimple, table: "CREATE TABLE session (sid varchar(64) PRIMARY KEY, sess jsonb, expire timestamptz)"},
			{name: "a policy that lets through", layout: sqlstore.ConnectPgSimple, table: connect("); ALTER TABLE session ENABLE ROW LEVEL SECURITY; ALTER TABLE session FORCE ROW LEVEL SECURITY; CREATE POLICY p ON session USING (true)")},
			{name: "a trigger that does no harm", layout: sqlstore.ConnectPgSimple, table: connect(`); CREATE TABLE log (a int); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log VALUES (1); RETURN NULL; END$$;
				CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON session FOR EACH ROW EXECUTE FUNCTION note()`)},
		},
		sqlstore.MySQL: {
			{name: "defaults", layout: sqlstore.ExpressMySQLSession, table: expressMySQL(", tenant int NOT NULL DEFAULT 1, at timestamp NOT NULL DEFAULT now())")},
			{name: "partitions", layout: sqlstore.ExpressMySQLSession, table: expressMySQL(") PARTITION BY KEY (session_id) PARTITIONS 4")},
			{name: "no transactions", layout: sqlstore.ExpressMySQLSession, table: expressMySQL(") ENGINE=MyISAM")},
		},
		sqlstore.SQLite: {
			{name: "defaults", layout: sqlstore.BetterSQLite3SessionStore, table: "CREATE TABLE sessions (sid TEXT NOT NULL PRIMARY KEY, sess JSON NOT NULL, expire TEXT NOT NULL, tenant INT NOT NULL DEFAULT 1)"},
			{name: "without a rowid", layout: sqlstore.Native, table: "CREATE TABLE nest_sessions (id TEXT PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', expires INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID, STRICT; CREATE INDEX a ON nest_sessions (owner); CREATE INDEX b ON nest_sessions (expires)"},
		},
	}
	for name, d := range dialects {
		for _, test := range tests[d] {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				c := sqlstore.Config{DB: newDatabase(t, d).open(t), Dialect: d, Layout: test.layout, SweepInterval: -1}
				script(t, c.DB, test.table)
				s := newStore(t, c)
				wantRows(t, c, 0)
				if strings.Contains(test.table, "INTO log") {
					var notes int
					if err := c.DB.QueryRow("SELECT count(*) FROM log").Scan(&notes); err != nil || notes != 0 {
						t.Errorf("the trial has left %d notes, %v", notes, err)
					}
				}
				fiveMethods(t, s)
			})
		}
	}
}

// A database that takes no writes is refused, and what to do is said.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		dialect sqlstore.Dialect
		more    string
		want    string
	}{
		"Postgres": {sqlstore.Postgres, "&default_transaction_read_only=on", "target_session_attrs=read-write"},
		"MariaDB":  {sqlstore.MySQL, "?tx_read_only=1", "read-only"},
		"SQLite":   {sqlstore.SQLite, "?mode=ro", "mode=ro"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, test.dialect)
			newStore(t, sqlstore.Config{DB: db.open(t), Dialect: test.dialect, Create: true})
			if test.dialect == sqlstore.SQLite {
				db.dsn = "file:" + db.dsn
			}
			for _, create := range []bool{false, true} {
				_, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db.open(t, test.more), Dialect: test.dialect, Create: create})
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("New: %v, want %q", err, test.want)
				}
			}
		})
	}
}

// Each right that is missing is found out by New.
func TestEachRight(t *testing.T) {
	t.Parallel()
	rights := []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	for i, missing := range rights {
		granted := strings.Join(append(append([]string{}, rights[:i]...), rights[i+1:]...), ", ")
		t.Run("Postgres/"+missing, func(t *testing.T) {
			t.Parallel()
			p, db := servers.SharedPostgres(t), newDatabase(t, sqlstore.Postgres)
			p.Exec(t, databaseName(db.dsn), connect("); GRANT "+granted+" ON session TO PUBLIC"))
			_, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db.open(t), Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple})
			if err == nil || !strings.Contains(err.Error(), "GRANT") {
				t.Errorf("New: %v", err)
			}
		})
		t.Run("MariaDB/"+missing, func(t *testing.T) {
			t.Parallel()
			m, db := servers.SharedMariaDB(t), newDatabase(t, sqlstore.MySQL)
			name := databaseName(db.dsn)
			newStore(t, sqlstore.Config{DB: db.open(t), Dialect: sqlstore.MySQL, Create: true})
			user := "no" + strings.ToLower(missing)
			m.Exec(t, name, "CREATE USER "+user+"@127.0.0.1 IDENTIFIED BY 'for-the-test'; GRANT "+granted+" ON "+name+".* TO "+user+"@127.0.0.1")
			t.Cleanup(func() { m.Exec(t, "mysql", "DROP USER "+user+"@127.0.0.1") })
			reader := &database{dialect: sqlstore.MySQL, driver: "mysql", dsn: user + ":for-the-test@tcp(" + db.addr(t) + ")/" + name}
			_, err := sqlstore.New(t.Context(), sqlstore.Config{DB: reader.open(t), Dialect: sqlstore.MySQL})
			if err == nil || !strings.Contains(err.Error(), "GRANT") && missing != "SELECT" {
				t.Errorf("New: %v", err)
			}
		})
	}
}

// What package session leaves under the express preset where a session was renewed has a
// longer id than Node's, and every layout keeps it.
func TestLinks(t *testing.T) {
	t.Parallel()
	id := "nestsession:link:" + strings.Repeat("-_aZ9", 9)[:43]
	for name, n := range nodePrograms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sqlstore.Config{Dialect: layouts[name].dialect, Layout: n.layout, OwnerOf: ownerOf, SweepInterval: -1}
			c.DB = newDatabase(t, c.Dialect).open(t)
			for _, text := range n.create {
				run(t, c.DB, text)
			}
			s := newStore(t, c)
			r := create(t, s, store.Record{ID: id, Data: []byte(`{"cookie":{"path":"/"}}`), Expires: time.Now().Add(time.Minute)})
			r.Data = []byte(`{"cookie":{"path":"/"},"n":1}`)
			if _, err := s.Update(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Load(t.Context(), id); err != nil || string(got.Data) != string(r.Data) {
				t.Errorf("Load: %s, %v", got.Data, err)
			}
			if err := s.Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		})
	}
}
