package sqlstore

import (
	"strings"
	"testing"
)

// Every name and parameter in a template is known, for every table that there can be.
func TestTemplatesAreComplete(t *testing.T) {
	t.Parallel()
	tables := 0
	for d := range dialects {
		for l := range layouts {
			for _, owner := range []string{"", "who"} {
				c, err := Config{Dialect: d, Layout: l, OwnerColumn: owner}.withDefaults()
				if err != nil {
					continue // the layout of another dialect, or an owner column for the native table
				}
				tables++
				def := c.tableDef()
				if l == ConnectPgSimple {
					def.setZone("'{table}@id'") // stands in the statements as it is
				}
				texts := c.missing(tableInfo{})
				for _, st := range def.statements(c.dialect()).all() {
					texts = append(texts, st.text)
				}
				for _, text := range texts {
					text = strings.ReplaceAll(text, " AT TIME ZONE '{table}@id'", "")
					if strings.ContainsAny(text, "{}@\n\t") || strings.Contains(text, "  ") || strings.Contains(text, ", ,") {
						t.Errorf("%v, %v: %s", d, l, text)
					}
				}
			}
		}
	}
	if tables != 11 {
		t.Errorf("looked at %d tables, want 11", tables)
	}
}

// A name from the Config is not expanded, whatever it holds.
func TestNamesAreNotTemplates(t *testing.T) {
	t.Parallel()
	c, err := Config{Dialect: Postgres, Table: "{data}@id\n\"x"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	want := "DELETE FROM \"{data}@id\n\"\"x\" WHERE \"id\" = $1"
	if st := c.tableDef().statements(postgres{}).delete; st.text != want || len(st.order) != 1 {
		t.Errorf("%q with %d parameters, want %q with 1", st.text, len(st.order), want)
	}
}

// An unknown name or parameter is a mistake that the tests must find.
func TestUnknownNamesStay(t *testing.T) {
	t.Parallel()
	c, err := Config{Dialect: SQLite}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if st := c.tableDef().sql("{idd} @nope @id"); st.text != "{idd} @nope ?" || len(st.order) != 1 {
		t.Errorf("%q with %d parameters", st.text, len(st.order))
	}
}
