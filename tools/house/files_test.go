package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesAreNamed: a file's name says what it does.
func TestFilesAreNamed(t *testing.T) {
	t.Parallel()
	for _, path := range goFiles(t) {
		if base := filepath.Base(path); base == "utils.go" || base == "util.go" || base == "helpers.go" || base == "common.go" {
			t.Errorf("%s: name the file for what it does", path)
		}
	}
}

// TestNoTestSkipsOrSleeps: a skipped test is not run, and one that sleeps is slow on a
// fast machine and wrong on a slow one.
func TestNoTestSkipsOrSleeps(t *testing.T) {
	t.Parallel()
	banned := map[string]string{
		"Skip": "t", "Skipf": "t", "SkipNow": "t", "Sleep": "time",
	}
	for _, path := range goFiles(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, read(t, path), parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && banned[sel.Sel.Name] == x.Name && (x.Name == "t" || !inSynctest(f)) {
				t.Errorf("%s: %s.%s", fset.Position(call.Pos()), x.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

// inSynctest reports whether the file's clocks are testing/synctest's, where sleeping
// takes no time and is exact.
func inSynctest(f *ast.File) bool {
	for _, i := range f.Imports {
		if i.Path.Value == `"testing/synctest"` {
			return true
		}
	}
	return false
}

// TestNothingIsLeftForLater: the code has no notes of work to do.
func TestNothingIsLeftForLater(t *testing.T) {
	t.Parallel()
	for _, path := range goFiles(t) {
		text := read(t, path)
		for _, word := range []string{"TO" + "DO", "FIX" + "ME"} {
			if strings.Contains(text, word) {
				t.Errorf("%s has a %s", path, word)
			}
		}
	}
}

// TestPackagesAreDocumented: every package says what it is for.
func TestPackagesAreDocumented(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, read(t, path), parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
			continue
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		documented[dir] = documented[dir] || f.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package in %s has no package comment", dir)
		}
	}
}
