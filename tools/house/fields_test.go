package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rootFile parses a file of the root package.
func rootFile(t *testing.T, name string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, read(t, name), parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fieldsOf returns the exported fields of a struct of the root package.
func fieldsOf(t *testing.T, file, name string) []string {
	t.Helper()
	var fields []string
	ast.Inspect(rootFile(t, file), func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				for _, id := range f.Names {
					if id.IsExported() {
						fields = append(fields, id.Name)
					}
				}
			}
		}
		return false
	})
	if len(fields) == 0 {
		t.Fatalf("%s has no struct %s", file, name)
	}
	return fields
}

// constantsOf returns the constants of a type of the root package.
func constantsOf(t *testing.T, file, typ string) []string {
	t.Helper()
	var names []string
	for _, d := range rootFile(t, file).Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		last := ""
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			if id, ok := v.Type.(*ast.Ident); ok {
				last = id.Name
			}
			if last == typ {
				names = append(names, v.Names[0].Name)
			}
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s has no constants of %s", file, typ)
	}
	return names
}

// optionsOf returns the fields of Config, with those of Config.Express and Config.StoreLimits in
// place of these.
func optionsOf(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, f := range fieldsOf(t, "config.go", "Config") {
		typ := map[string]string{"Express": "ExpressOptions", "StoreLimits": "StoreLimits"}[f]
		if typ == "" {
			names = append(names, f)
			continue
		}
		for _, inner := range fieldsOf(t, "config.go", typ) {
			names = append(names, f+"."+inner)
		}
	}
	return names
}

// cells returns the text of a document's tables.
func cells(text string) string {
	return strings.Join(regexp.MustCompile(`(?m)^\|.*\|$`).FindAllString(text, -1), "\n")
}

// TestOptionsAreDocumented: every field of Config and Cookie is in the tables of the
// READMEs and of docs/options.md, and so is every option of express-session.
func TestOptionsAreDocumented(t *testing.T) {
	t.Parallel()
	options := []string{"secret", "name", "key", "store", "genid", "proxy", "rolling", "resave", "saveUninitialized", "unset"}
	attributes := []string{"path", "domain", "maxAge", "expires", "secure", "sameSite", "httpOnly", "partitioned", "priority"}
	for _, path := range []string{"README.md", "README.ko.md", "docs/options.md"} {
		table := cells(read(t, path))
		for _, f := range optionsOf(t) {
			if !regexp.MustCompile("`" + regexp.QuoteMeta(f) + "`").MatchString(table) {
				t.Errorf("%s: no table has the field `%s`", path, f)
			}
		}
		for _, f := range fieldsOf(t, "cookie.go", "Cookie") {
			if !strings.Contains(table, "`Cookie."+f+"`") {
				t.Errorf("%s: no table has the field `Cookie.%s`", path, f)
			}
		}
		for _, o := range options {
			if !regexp.MustCompile("`" + o + `\b`).MatchString(table) {
				t.Errorf("%s: no table has express-session's option `%s`", path, o)
			}
		}
		for _, o := range attributes {
			if !regexp.MustCompile("`(cookie\\.)?" + o + `\b`).MatchString(table) {
				t.Errorf("%s: no table has express-session's option `cookie.%s`", path, o)
			}
		}
	}
}

// TestTablesNameWhatExists: a field in docs/options.md is one of Config's.
func TestTablesNameWhatExists(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, f := range optionsOf(t) {
		known[f] = true
	}
	_, config, found := strings.Cut(read(t, "docs/options.md"), "\n## `Config`\n")
	if !found {
		t.Fatal("docs/options.md has no section on Config")
	}
	for _, m := range regexp.MustCompile("(?m)^\\| (`.+?) \\|").FindAllStringSubmatch(config, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			if name = strings.Trim(name, "`"); !known[name] {
				t.Errorf("docs/options.md explains %s, which Config does not have", name)
			}
		}
	}
}

// TestEventsAreDocumented: every kind and reason is explained in docs/events.md.
func TestEventsAreDocumented(t *testing.T) {
	t.Parallel()
	table := cells(read(t, "docs/events.md"))
	for _, typ := range []string{"EventKind", "Reason"} {
		for _, name := range constantsOf(t, "event.go", typ) {
			if !strings.Contains(table, "\n| `"+name+"` |") {
				t.Errorf("docs/events.md does not explain `%s`", name)
			}
		}
	}
}

// TestDecisionsAreWhole: each has a context, a decision, alternatives and consequences.
func TestDecisionsAreWhole(t *testing.T) {
	t.Parallel()
	index := read(t, "docs/adr/README.md")
	for _, path := range documents(t) {
		name := filepath.Base(path)
		if filepath.Dir(path) != "docs/adr" || name == "README.md" {
			continue
		}
		text := read(t, path)
		for _, part := range []string{"Context", "Decision", "Alternatives", "Consequences"} {
			if !strings.Contains(text, "\n## "+part+"\n") {
				t.Errorf("%s has no %s", path, part)
			}
		}
		if !strings.Contains(index, "("+name+")") {
			t.Errorf("docs/adr/README.md does not list %s", name)
		}
	}
}

// TestReadmesSayTheSame: the Korean README has the same code, links and rows.
func TestReadmesSayTheSame(t *testing.T) {
	t.Parallel()
	english, korean := read(t, "README.md"), read(t, "README.ko.md")
	count := func(text, what string) int { return strings.Count(text, what) }
	for _, what := range []string{"\n## ", "\n| ", "```go", "```sh"} {
		if e, k := count(english, what), count(korean, what); e != k {
			t.Errorf("%q: %d times in README.md, %d times in README.ko.md", what, e, k)
		}
	}
	for _, m := range link.FindAllStringSubmatch(withoutBlocks(english), -1) {
		if m[2] != "README.ko.md" && !strings.Contains(korean, "]("+m[2]+")") {
			t.Errorf("README.ko.md does not link to %s", m[2])
		}
	}
}
