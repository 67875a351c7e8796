package main

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEntryPointsHaveExamples: each exported function of the library, and each method of Manager and
// Session, is called in an example whose output is checked. Methods without parameters that only
// return a value, and functions for tests, need none.
func TestEntryPointsHaveExamples(t *testing.T) {
	t.Parallel()
	type folder struct {
		entries map[string]bool
		shown   map[string]bool
	}
	folders := map[string]*folder{}
	in := func(path string) *folder {
		dir := filepath.ToSlash(filepath.Dir(path))
		if folders[dir] == nil {
			folders[dir] = &folder{map[string]bool{}, map[string]bool{}}
		}
		return folders[dir]
	}
	// Their examples need a server or a driver, and are in the module tests.
	elsewhere := []string{"store/sqlstore", "redisstore", "pgxstore", "natsstore/embedded"}
	packages := readPicture(t).group
	packages["."] = packages["session"]
	for _, path := range goFiles(t) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if packages[dir] == "" || strings.HasPrefix(dir, "internal/") || slices.Contains(elsewhere, dir) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, read(t, path), parser.ParseComments)
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.HasSuffix(path, "_test.go") {
			maps.Copy(in(path).entries, entryPoints(f))
			continue
		}
		for _, e := range doc.Examples(f) {
			if e.Output == "" && !e.EmptyOutput {
				continue
			}
			ast.Inspect(e.Code, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					in(path).shown[id.Name] = true
				}
				return true
			})
			// Declarations of the file count, for a whole-file example.
			if e.Play != nil {
				ast.Inspect(e.Play, func(n ast.Node) bool {
					if sel, ok := n.(*ast.SelectorExpr); ok {
						in(path).shown[sel.Sel.Name] = true
					}
					return true
				})
			}
		}
	}
	for dir, f := range folders {
		for _, name := range slices.Sorted(maps.Keys(f.entries)) {
			if _, method, ok := strings.Cut(name, "."); !f.shown[method] && ok || !ok && !f.shown[name] {
				t.Errorf("package in %s: no example with an output calls %s", dir, name)
			}
		}
	}
}

// entryPoints returns a file's exported functions, and the methods of Manager and Session.
func entryPoints(f *ast.File) map[string]bool {
	names := map[string]bool{}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !fn.Name.IsExported() || fn.Type.Params.NumFields() == 0 || takesTest(fn) || fn.Name.Name == "Format" {
			continue
		}
		if fn.Recv == nil {
			names[fn.Name.Name] = true
			continue
		}
		typ := fn.Recv.List[0].Type
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		if index, ok := typ.(*ast.IndexExpr); ok {
			typ = index.X
		}
		if id, ok := typ.(*ast.Ident); ok && (id.Name == "Manager" || id.Name == "Session") {
			names[id.Name+"."+fn.Name.Name] = true
		}
	}
	return names
}

func takesTest(fn *ast.FuncDecl) bool {
	for _, p := range fn.Type.Params.List {
		typ := p.Type
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		if sel, ok := typ.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "testing" {
				return true
			}
		}
	}
	return false
}
