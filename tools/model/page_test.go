package model

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const folder = "../../docs/model"

// row is a row of the page's tables: a line of a model, a function, its file, and a line of the code.
var row = regexp.MustCompile("^\\| `(.+)` \\| `(\\w+)\\.(\\w+)` in \\[.*\\]\\((.*)\\) \\| `(.+)` \\|$")

// TestThePageNamesTheCode: what the page says of the models and of the code is there, and each request and
// each call of the models is on the page.
func TestThePageNamesTheCode(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	rows, pml := map[string]int{}, ""
	for line := range strings.Lines(read(filepath.Join(folder, "README.md"))) {
		if name, ok := strings.CutPrefix(line, "| in "); ok {
			pml = strings.Fields(name)[0]
		}
		if strings.HasPrefix(line, "## What holds") {
			break
		}
		m := row.FindStringSubmatch(strings.ReplaceAll(strings.TrimSpace(line), `\|`, "|"))
		if m == nil {
			if strings.HasPrefix(line, "| `") {
				t.Errorf("%s names no function and line", line)
			}
			continue
		}
		rows[pml]++
		if !strings.Contains(spaced(read(filepath.Join(folder, pml))), spaced(m[1])) {
			t.Errorf("%s has no line %q", pml, m[1])
		}
		file := filepath.Join(folder, m[4])
		body := method(t, file, m[2], m[3])
		if body == "" {
			t.Errorf("%s has no %s.%s", file, m[2], m[3])
		} else if !strings.Contains(spaced(body), spaced(m[5])) {
			t.Errorf("%s.%s in %s has no line %q", m[2], m[3], file, m[5])
		}
	}
	if rows["session.pml"] < 10 || rows["nearcache.pml"] < 8 {
		t.Errorf("the page has %v rows", rows)
	}
}

// TestEachPlantedBugIsTried: each bug that the page and the models have is one that the long tests look for.
func TestEachPlantedBugIsTried(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, b := range bugs {
		tried[b.model+".pml "+string(rune('0'+b.bug))] = true
	}
	planted := 0
	for _, name := range []string{"session.pml", "nearcache.pml"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, m := range regexp.MustCompile(`BUG [!=]= (\d)`).FindAllStringSubmatch(string(text), -1) {
			if seen[m[1]] {
				continue
			}
			seen[m[1]] = true
			planted++
			if !tried[name+" "+m[1]] {
				t.Errorf("nobody looks for bug %s of %s", m[1], name)
			}
		}
	}
	page, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	described := len(regexp.MustCompile(`(?m)^\| \d+ \|`).FindAllString(string(page), -1))
	if planted != len(bugs) || described != len(bugs) {
		t.Errorf("the models have %d bugs, the page %d, the tests %d", planted, described, len(bugs))
	}
}

func spaced(text string) string { return strings.Join(strings.Fields(text), " ") }

// method returns the text of a method.
func method(t *testing.T, file, receiver, name string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv == nil || f.Name.Name != name {
			continue
		}
		var of string
		ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && of == "" {
				of = id.Name
			}
			return true
		})
		if of == receiver {
			return string(text[files.Position(f.Pos()).Offset:files.Position(f.End()).Offset])
		}
	}
	return ""
}
