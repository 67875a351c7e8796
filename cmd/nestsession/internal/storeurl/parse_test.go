package storeurl_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

func parse(t *testing.T, text string, express bool) *storeurl.Target {
	t.Helper()
	target, err := storeurl.Parse(text, express)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return target
}

func TestEachFormIsUnderstood(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs("sessions.db")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"memory:":                              "memory",
		"memory://":                            "memory",
		"memory:?snapshot=sessions.db":         "memory, snapshot " + here,
		"memory:?snapshot=/a%26b":              "memory, snapshot /a&b",
		"sqlite:sessions.db":                   "SQLite, " + here,
		"SQLite:sessions.db":                   "SQLite, " + here,
		"sqlite:/var/lib/a b%3F.db":            "SQLite, /var/lib/a b?.db",
		"sqlite:///var/lib/app.db":             "SQLite, /var/lib/app.db",
		"sqlite:/s.db?table=mine&create=false": "SQLite, /s.db, table mine",
		"sqlite:/s.db?layout=connect-sqlite3":  "SQLite, /s.db, as connect-sqlite3 has it",
		"postgres://u:p@db/app":                "PostgreSQL at db:5432, database app",
		"postgresql://[::1]:5433/app?sslmode=require&schema=web&table=s": "PostgreSQL at [::1]:5433, database app, table web.s",
		"mysql://root@db.example/app?tls=true":                           "MySQL at db.example:3306, database app",
		"mariadb://db:3307/app?layout=express-mysql-session":             "MySQL at db:3307, database app, as express-mysql-session has it",
		"redis://localhost":                               "Redis at localhost:6379",
		"redis://:secret@localhost/0":                     "Redis at localhost:6379",
		"redis://h?prefix=&layout=connect-redis":          `Redis at h:6379, without a prefix, as connect-redis has it`,
		"rediss://kim:secret@10.0.0.1:6380/3?prefix=app:": `Redis at 10.0.0.1:6380, database 3, with TLS, prefix "app:"`,
		"redis+sentinel://a,b:26380,[::1]?master=main":    "Redis, master main of the sentinels at a:26379, b:26380, [::1]:26379",
		"rediss+cluster://a:7000,b:7001/0":                "Redis Cluster at a:7000, b:7001, with TLS",
	} {
		if got := parse(t, text, false).String(); got != want {
			t.Errorf("Parse(%q) is %q, want %q", text, got, want)
		}
	}
}

func TestUserAndPasswordAreUnescaped(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"postgres://kim:p%40ss%2Fw%3Ard@db/app": {"kim", "p@ss/w:rd"},
		"redis://:pass@h":                       {"", "pass"},
		"mysql://kim@h/d":                       {"kim", ""},
		"redis+cluster://u:pa,ss@a,b":           {"u", "pa,ss"},
	} {
		got := parse(t, text, false)
		if got.User != want[0] || got.Password() != want[1] {
			t.Errorf("Parse(%q) has user %q and password %q, want %q", text, got.User, got.Password(), want)
		}
	}
	if got := parse(t, "redis://h", false).WithPassword("x"); got.Password() != "x" {
		t.Errorf("WithPassword: %q", got.Password())
	}
}

func TestExpressMeansThePackagesLayouts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]storeurl.Layout{
		"sqlite:s.db": "connect-sqlite3", "sqlite:s.db?layout=better-sqlite3-session-store": "better-sqlite3-session-store",
		"postgres://h/d": "connect-pg-simple", "mysql://h/d": "express-mysql-session", "redis://h": "connect-redis",
	} {
		if got := parse(t, text, true); got.Layout != want || !got.PlainIDs() {
			t.Errorf("%s with --express has layout %s, plain ids %v; want %s", text, got.Layout, got.PlainIDs(), want)
		}
		if got := parse(t, strings.Split(text, "?")[0], false); got.Layout != storeurl.Native || got.PlainIDs() {
			t.Errorf("%s has layout %s", text, got.Layout)
		}
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	got := parse(t, "postgres://h/d?layout=connect-pg-simple&owner-column=user_id&time-zone=Asia/Seoul&ttl=12h&create=true&connect_timeout=3", false)
	if got.OwnerColumn != "user_id" || got.TimeZone != "Asia/Seoul" || got.TTL != 12*time.Hour || got.Create == nil || !*got.Create || got.Driver.Get("connect_timeout") != "3" {
		t.Errorf("read as %+v", *got)
	}
	for _, text := range []string{"sqlite:s.db", "postgres://h/d", "mysql://h/d"} {
		got := parse(t, text+"?table=web&column.sid=id&column.data=body&column.expires=until", true)
		if want := (storeurl.Columns{ID: "id", Data: "body", Expires: "until"}); got.Columns != want || got.Table != "web" {
			t.Errorf("%s: the columns are read as %+v", text, *got)
		}
	}
	got = parse(t, "redis+sentinel://h?master=m&sentinel-auth=true", false)
	if got.Master != "m" || !got.SentinelAuth {
		t.Errorf("read as %+v", *got)
	}
}

// mistakes are wrong URLs, with the password "hunter2" wherever possible, and a part of the
// expected error.
var mistakes = map[string]string{
	"": "write one of memory:", "sessions.db": "write one of memory:", "hunter2": "write one of memory:",
	"mongodb://u:hunter2@h/d":                 `there is no store "mongodb:": write one of memory:`,
	"memory:hunter2":                          "after memory: only ?snapshot=FILE may follow",
	"memory:?snapshot=":                       "write memory:?snapshot=FILE",
	"memory:?snapshot=a&snapshot=b":           "write memory:?snapshot=FILE",
	"memory:?file=hunter2":                    "write memory:?snapshot=FILE",
	"sqlite:":                                 "path of a file",
	"sqlite://sessions.db":                    "after sqlite: only the path may follow, such as sqlite:sessions.db",
	"sqlite::memory:":                         "write memory:",
	"sqlite:a%zz":                             "write % as %25",
	"redis:localhost":                         "two slashes and a host",
	"redis://":                                "names no host",
	"postgres://u:hunter2@/d":                 "names no host",
	"redis+cluster://a,,b":                    "names no host",
	"redis://a,b":                             "redis+sentinel:// and redis+cluster://",
	"redis://h:99999":                         "not a port",
	"redis://h:0":                             "not a port",
	"postgres://u:hunter2/x@h/d":              "as %2F",
	"postgres://u:hunter2?x@h/d":              "as %3F",
	"postgres://u:hunter2#x@h/d":              "as %23",
	"postgres://u:hunter2%@h/d":               "% as %25",
	"postgres://u:hun:hunter2@h/d":            ": as %3A",
	"postgres://u:hunter2@x@h/d":              "@ as %40",
	"postgres://u:123/hunter2@h/d":            "as %2F",
	"postgres://u:hunter2":                    "not a port",
	"postgres://u:hunter2@h/d#hunter2":        "as %23",
	"postgres://u:hunter2@h":                  "names no database",
	"mysql://u:hunter2@h/":                    "names no database",
	"mysql://u:hunter2@h/a/b":                 "not a valid URL",
	"redis://:hunter2@h/app":                  "number of a Redis database",
	"redis://:hunter2@h/-1":                   "number of a Redis database",
	"redis+cluster://h/1":                     "only database 0",
	"redis+sentinel://h":                      "add ?master=NAME",
	"redis://h?master=m":                      `no parameter "master" for Redis: write one of layout, notify, prefix, ttl`,
	"redis://h?table=t":                       `no parameter "table" for Redis`,
	"sqlite:s.db?tabel=t":                     `no parameter "tabel" for SQLite: write one of column.data, column.expires, column.sid, create, layout, owner-column, table, ttl`,
	"sqlite:s.db?column.id=i":                 `no parameter "column.id" for SQLite: write one of column.data, column.expires, column.sid,`,
	"redis://h?column.sid=i":                  `no parameter "column.sid" for Redis: write one of layout, notify, prefix, ttl`,
	"mysql://h/d?column.sid=":                 "column.sid takes one value",
	"mysql://h/d?column.sid=a&column.data=A":  "column.sid and column.data name the same column",
	"mysql://h/d?sslmode=require":             `no parameter "sslmode" for MySQL`,
	"postgres://h/d?password=hunter2":         `no parameter "password" for PostgreSQL`,
	"postgres://h/d?sslmode=on":               "sslmode must be one of disable, allow",
	"mysql://h/d?tls=sometimes":               "tls must be one of true, false, skip-verify, preferred",
	"redis://h?prefix=a&prefix=b":             "prefix takes one value",
	"redis://h?prefix=%zz":                    "the parameters after the question mark cannot be read",
	"sqlite:s.db?create=perhaps":              "create must be true or false",
	"sqlite:s.db?layout=connect-redis":        "layout=connect-redis is one of Redis: for SQLite write native, connect-sqlite3, better-sqlite3-session-store",
	"redis://h?layout=mine":                   `no layout "mine": for Redis write native, connect-redis`,
	"sqlite:s.db?owner-column=o":              "the native one always has a column for the owner",
	"postgres://h/d?time-zone=UTC":            "time-zone is for layout=connect-pg-simple",
	"redis://h?ttl=24h":                       "in the native layout a session without an expiry never expires",
	"redis://h?layout=connect-redis&ttl=1.5s": "ttl takes whole seconds",
}

func TestErrorsSayWhatToWrite(t *testing.T) {
	t.Parallel()
	for text, want := range mistakes {
		_, err := storeurl.Parse(text, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("Parse(%q) tells the password: %v", text, err)
		}
	}
	if _, err := storeurl.Parse("redis://h?layout=native", true); err == nil || !strings.Contains(err.Error(), "does not work with --express") {
		t.Errorf("the native layout with --express: %v", err)
	}
}

func TestNoPasswordIsPrinted(t *testing.T) {
	t.Parallel()
	target := parse(t, "postgres://kim:hunter2@db:5432/app", false)
	for _, text := range []string{fmt.Sprint(target), fmt.Sprintf("%+v", target), fmt.Sprintf("%+v", *target), fmt.Sprintf("%v", []storeurl.Target{*target})} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("printed: %s", text)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := "sqlite:" + filepath.Join(folder, "s.db")
	same := [][2]string{
		{"redis://u:p@localhost", "redis://127.0.0.1:6379/0"},
		{"redis+cluster://a,b", "redis+cluster://c,B"},
		{"postgres://h/d", "postgresql://u@H:5432/d?sslmode=disable"},
		{file, "sqlite:" + filepath.Join(folder, "x", "..", "s.db")},
	}
	different := [][2]string{
		{"redis://h", "redis://h/1"}, {"redis://h", "redis://h:6380"}, {"redis://h?prefix=a:", "redis://h"}, {"redis://h?prefix=", "redis://h"},
		{"postgres://h/d", "mysql://h/d"}, {"postgres://h/d", "postgres://h/e"}, {"postgres://h/d", "postgres://h/d?table=other"},
		{"redis://h", "redis://h?layout=connect-redis"}, {file, file + "x"}, {"memory:", "memory:"},
	}
	for i, pairs := range [][][2]string{different, same} {
		for _, p := range pairs {
			if got := parse(t, p[0], false).Same(parse(t, p[1], false)); got != (i == 1) {
				t.Errorf("%q are the same: %v", p, got)
			}
		}
	}
}

func TestQuotedTable(t *testing.T) {
	t.Parallel()
	got := []string{
		parse(t, `postgres://h/d?table=a"b&schema=s`, false).QuotedTable(),
		parse(t, "mysql://h/d?table=a`b", false).QuotedTable(),
		parse(t, "postgres://h/d", true).QuotedTable(),
		parse(t, "sqlite:x", false).QuotedTable(),
	}
	if want := []string{`"s"."a""b"`, "`a``b`", `"session"`, `"nest_sessions"`}; !slices.Equal(got, want) {
		t.Errorf("quoted %q, want %q", got, want)
	}
}

// The URL of users is about a database, and not about the table of sessions.
func TestUsersAreInADatabase(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sqlite:/u.db":              "SQLite, /u.db",
		"sqlite:/u.db?create=false": "SQLite, /u.db",
		"postgres://kim:hunter2@db/app?schema=web&sslmode=require&create=true": "PostgreSQL at db:5432, database app",
		"mariadb://db/app?tls=true": "MySQL at db:3306, database app",
	} {
		if got, err := storeurl.ParseUsers(text); err != nil || got.String() != want {
			t.Errorf("ParseUsers(%q) is %v, %v; want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"redis://:hunter2@h": "users cannot be in Redis: write one of",
		"memory:":            "users cannot be in memory: write one of",
		"postgres://kim:hunter2@h/app?table=users":  "the parameter table is about the table of sessions",
		"postgres://kim:hunter2@h/app?notify=false": "the parameter notify is about the table of sessions",
		"sqlite:/u.db?layout=connect-sqlite3":       "the parameter layout is about the table of sessions",
		"mysql://kim:hunter2@h":                     "the URL names no database",
	} {
		if _, err := storeurl.ParseUsers(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseUsers(%q): %v, want %q", text, err, want)
		}
	}
}
