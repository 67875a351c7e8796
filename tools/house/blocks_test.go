package main

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// prelude has the declarations that a fragment in a document may use.
const prelude = `
type Account struct {
	User   string   ` + "`json:\"user,omitempty\"`" + `
	Visits int      ` + "`json:\"visits,omitempty\"`" + `
	Roles  []string ` + "`json:\"roles,omitempty\"`" + `
	Cart   []string ` + "`json:\"cart,omitempty\"`" + `
}

var sessions *session.Manager[Account]

func authenticate(ctx context.Context, name, password string) (string, error) { return name, ctx.Err() }
`

// packages are the packages that a fragment need not import.
var packages = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "io": "io", "log": "log", "slog": "log/slog",
	"http": "net/http", "httptest": "net/http/httptest", "os": "os", "slices": "slices", "strings": "strings", "testing": "testing",
	"time": "time", "session": module, "express": module + "/express", "cookie": module + "/cookie",
	"store": module + "/store", "memstore": module + "/store/memstore", "storetest": module + "/store/storetest",
	"sessiontest": module + "/sessiontest", "nearcache": module + "/store/nearcache", "eventstream": module + "/eventstream", "devicebound": module + "/devicebound",
}

// TestCodeInDocumentsCompiles: each block of Go in a document is compiled and vetted
// against the current library. A block is a file, declarations, or statements of a
// handler; the last two are completed by the prelude.
func TestCodeInDocumentsCompiles(t *testing.T) {
	t.Parallel()
	blocks := packageExamples(t)
	for _, path := range documents(t) {
		if quotes(path) {
			continue // see TestQuotedCodeIsTheCode
		}
		for _, b := range blocksOf(t, path) {
			if b.lang == "go" && !quotedBlock(b) {
				blocks = append(blocks, b)
			}
		}
	}
	if len(blocks) < 3 {
		t.Fatalf("found %d blocks of Go; are they marked ```go?", len(blocks))
	}
	dir := scratchModule(t)
	for i, b := range blocks {
		text, err := complete(b.text)
		if err != nil {
			t.Errorf("%s:%d: %v", b.path, b.line, err)
			continue
		}
		if name, ok := isTest(text); ok {
			writeFile(t, filepath.Join(dir, fmt.Sprintf("block%02d", i), name), text)
			continue
		}
		writeFile(t, filepath.Join(dir, fmt.Sprintf("block%02d", i), "block.go"),
			fmt.Sprintf("//line %s:%d\n%s", filepath.Base(b.path), b.line, text))
	}
	goTool(t, dir, "vet", "./...")
}

// isTest reports whether a block is a test, and compiled as one.
func isTest(text string) (string, bool) {
	return "block_test.go", strings.Contains(text, "*testing.T")
}

// complete makes a block a file.
func complete(text string) (string, error) {
	if _, err := parser.ParseFile(token.NewFileSet(), "", text, parser.PackageClauseOnly); err == nil {
		return text, nil
	}
	imports, rest := cutImports(text)
	body := rest
	if _, err := parser.ParseFile(token.NewFileSet(), "", "package doc\n"+rest, 0); err != nil {
		body = "func _(ctx context.Context, w http.ResponseWriter, r *http.Request, s *session.Session[Account]) (err error) {\n" +
			rest + "\nreturn err\n}\n"
	}
	file := "package doc\n" + body + withoutDeclared(rest)
	f, err := parser.ParseFile(token.NewFileSet(), "", file, 0)
	if err != nil {
		return "", err
	}
	var head strings.Builder
	for name := range used(f) {
		if path, ok := packages[name]; ok && !strings.Contains(imports, `"`+path+`"`) {
			fmt.Fprintf(&head, "import %q\n", path)
		}
	}
	out, err := format.Source([]byte("package doc\n" + imports + head.String() + strings.TrimPrefix(file, "package doc\n")))
	return string(out), err
}

// withoutDeclared returns the prelude without what the block declares itself.
func withoutDeclared(text string) string {
	if strings.Contains(text, "type Account ") {
		return ""
	}
	return prelude
}

// cutImports takes the imports from the top of declarations.
func cutImports(text string) (imports, rest string) {
	f, err := parser.ParseFile(token.NewFileSet(), "", "package doc\n"+text, parser.ImportsOnly)
	if err != nil || len(f.Imports) == 0 {
		return "", text
	}
	end := int(f.Decls[len(f.Decls)-1].End()) - len("package doc\n") - 1
	return text[:end] + "\n", text[end:]
}

// used returns the names before a dot that the file does not declare.
func used(f *ast.File) map[string]bool {
	names := map[string]bool{}
	for _, id := range f.Unresolved {
		names[id.Name] = true
	}
	return names
}

// scratchModule is an empty module outside of the repository that uses the library.
func scratchModule(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "go.mod"), fmt.Sprintf(
		"module example.test/blocks\n\ngo 1.26\n\nrequire %s v0.0.0\n\nreplace %s => %s\n", module, module, here))
	return dir
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEveryBlockHasALanguage: the language decides how a block is tested and coloured.
func TestEveryBlockHasALanguage(t *testing.T) {
	t.Parallel()
	known := []string{"caddy", "dockerfile", "go", "ini", "js", "json", "mermaid", "nginx", "sh", "sql", "text", "ts"}
	for _, path := range documents(t) {
		for _, b := range blocksOf(t, path) {
			if !slices.Contains(known, b.lang) {
				t.Errorf("%s:%d: block of %q; write one of %q", b.path, b.line, b.lang, known)
			}
		}
	}
}
