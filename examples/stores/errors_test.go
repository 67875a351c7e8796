package stores_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// theirs are the texts of servers and drivers on the pages; all others are ours.
var theirs = []string{
	"database is locked", "database or disk is full", "attempt to write a readonly database",
	"permission denied", "cannot execute … in a read-only transaction", "prepared statement … does not exist",
	"too many notifications in the NOTIFY queue", "too many clients", "remaining connection slots",
	"command denied", "running with the --read-only option", "Too many connections", "max_prepared_stmt_count", "invalid connection",
}

// The errors on the pages are in the code, word by word.
func TestTheErrorsOnThePages(t *testing.T) {
	t.Parallel()
	code := ""
	for _, folder := range []string{"../../redisstore", "../../pgxstore", "../../store", "../../store/sqlstore", "../../internal/feed"} {
		names, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatal(folder, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			code += string(text)
		}
	}
	found := 0
	for _, name := range []string{"redis.md", "sqlite.md", "postgresql.md", "mysql.md"} {
		_, table, ok := strings.Cut(page(t, name), "\n## Errors\n")
		if !ok {
			t.Errorf("%s does not speak of errors", name)
		}
		for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \|`).FindAllStringSubmatch(table, -1) {
			for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(row[1], -1) {
				found++
				if !strings.Contains(code, m[1]) && !slices.Contains(theirs, m[1]) {
					t.Errorf("%s: no error says %q", name, m[1])
				}
			}
		}
	}
	if found < len(theirs) {
		t.Errorf("found %d errors on the pages", found)
	}
}
