package differ

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into README.md")

// The README has the rows of the table.
func TestReadmeListsTheTable(t *testing.T) {
	t.Parallel()
	const (
		path  = "../README.md"
		begin = "<!-- table: made from differ/table.go by `go test ./differ -update` -->\n"
		end   = "<!-- end of table -->\n"
	)
	var b strings.Builder
	b.WriteString("\n| where | what differs | why |\n|---|---|---|\n")
	for i := range Table {
		r := &Table[i]
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.Key(), r.Differs, r.Reason)
	}
	b.WriteString("\n")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("README.md has no place for the table")
	}
	want := before + begin + b.String() + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("README.md lists other rows; run go test ./differ -update")
	}
}
