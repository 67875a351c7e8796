package main

import (
	"strings"
	"testing"
)

// TestTheAuditNamesItsTests: each row of the tables on the page about security ends with the tests
// for it. TestLinks checks that they exist.
func TestTheAuditNamesItsTests(t *testing.T) {
	t.Parallel()
	const path = "docs/security.md"
	rows := 0
	for i, line := range strings.Split(read(t, path), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		last := strings.TrimSpace(cells[len(cells)-1])
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") || last == "test" {
			continue
		}
		rows++
		for _, link := range strings.Split(last, ", ") {
			name, file, found := strings.Cut(strings.TrimPrefix(link, "["), "](")
			if !found || !goTest.MatchString(name) || !strings.HasSuffix(file, "_test.go)") {
				t.Errorf("%s:%d: %q names no test and its file", path, i+1, link)
			}
		}
	}
	if rows < 40 {
		t.Errorf("%s has %d rows: the tables were not found", path, rows)
	}
}
