package express_test

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nestsession/session/express"
)

// row is a line of one of the tables in docs/options.md, by its cells.
type row []string

// says reports whether a cell has the text as code.
func (r row) says(text string) bool {
	for _, cell := range r {
		if strings.Contains(cell, "`"+text+"`") {
			return true
		}
	}
	return false
}

func documentedRows(t *testing.T) (rows []row) {
	t.Helper()
	text, err := os.ReadFile("../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "| ") && strings.HasSuffix(line, " |") {
			rows = append(rows, strings.Split(strings.Trim(line, "|"), " | "))
		}
	}
	return rows
}

// docs/options.md describes what the preset sets, and its column "preset" has the same
// values.
func TestPresetIsDocumented(t *testing.T) {
	t.Parallel()
	rows := documentedRows(t)
	find := func(field string) (found []row) {
		for _, r := range rows {
			if r.says(field) {
				found = append(found, r)
			}
		}
		if found == nil {
			t.Errorf("docs/options.md has no row on `%s`, which the preset sets", field)
		}
		return found
	}
	cfg := reflect.ValueOf(express.Config(secret))
	groups := []string{"Cookie", "Express", "StoreLimits"}
	for _, f := range reflect.VisibleFields(cfg.Type()) {
		if v := cfg.FieldByIndex(f.Index); !v.IsZero() && !slices.Contains(groups, f.Name) {
			find(f.Name)
		}
	}
	for _, group := range groups {
		fields := cfg.FieldByName(group)
		for _, f := range reflect.VisibleFields(fields.Type()) {
			if !fields.FieldByIndex(f.Index).IsZero() {
				find(group + "." + f.Name)
			}
		}
	}

	const optionColumns, presetColumn = 5, 3
	for field, value := range map[string]string{
		"Name": "connect.sid", "Cookie.Secure": "Insecure", "Cookie.SameSite": "SameSiteOmit",
	} {
		said := false
		for _, r := range find(field) {
			said = said || len(r) == optionColumns && strings.TrimSpace(r[presetColumn]) == "`"+value+"`"
		}
		if !said {
			t.Errorf("docs/options.md does not say that the preset's %s is `%s`", field, value)
		}
	}
}
