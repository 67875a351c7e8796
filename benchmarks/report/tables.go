package main

import "fmt"

// table is a comparison that a test prints itself, row by row, because it needs servers and turns of
// its own.
type table struct {
	title   string
	columns string // the head of the rows that the test prints
	test    string
	flags   []string // further flags, whose value is the slice of time
}

// columns of the tables that package stores prints. The ratios are to nest in the same turn.
const storeColumns = "| store | work | callers | contender | requests/s | times as many by nest: median (quartiles) | CPU time | times nest's CPU time |\n|---|---|---|---|---|---|---|---|\n"

// columns of the table of nodes with near caches. The ratio is of the near cache to the row.
const nearColumns = "| | requests/s | times as many with the near cache: median (quartiles) | Redis commands for a read | for a request | CPU time |\n|---|---|---|---|---|---|\n"

// tables are the tables of each package.
var tables = map[string][]table{
	"stores": {
		{"Stores through the middleware", storeColumns, "^TestManagers$", nil},
		{"Stores without the middleware", storeColumns, "^TestStores$", nil},
		{"express-session and @fastify/session over HTTP", storeColumns, "^TestLongExpress$", nil},
		{"Three nodes on one Redis", nearColumns, "^TestNear$", []string{"-near="}},
	},
}

func tablesOf(pkg string) ([]table, bool) {
	t, ok := tables[pkg]
	return t, ok
}

// arguments returns those of the test program.
func (t table) arguments(o options) []string {
	args := []string{"-test.run=" + t.test, "-slice=" + o.slice, fmt.Sprint("-turns=", o.turns)}
	for _, flag := range t.flags {
		args = append(args, flag+o.slice)
	}
	return args
}

// columnsOf returns the head of a table.
func columnsOf(title string) string {
	for _, all := range tables {
		for _, t := range all {
			if t.title == title {
				return t.columns
			}
		}
	}
	return ""
}
