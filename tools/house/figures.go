package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/nestsession/session"

// figures are the sizes of the root package.
type figures struct {
	files, lines int // lines of code: neither blank nor only a comment
	circle       []string
	session      int // fields, an embedded struct counting as one
	config       int
	identifiers  int // exported functions, types, constants and variables
	methods      int // exported
	modules      int
}

func (f figures) String() string {
	return fmt.Sprintf(`root package    %d files, %d lines of code
circle of files %d: %s
Session         %d fields
Config          %d fields
exported        %d identifiers, %d methods
modules         %d
`, f.files, f.lines, len(f.circle), strings.Join(f.circle, " "), f.session, f.config, f.identifiers, f.methods, f.modules)
}

// measure returns the figures of the repository in a folder.
func measure(folder string) (f figures, err error) {
	fset := token.NewFileSet()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return f, err
	}
	var parsed []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return f, err
		}
		file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
		if err != nil {
			return f, err
		}
		parsed = append(parsed, file)
		f.lines += linesOfCode(src)
	}
	if f.files = len(parsed); f.files == 0 {
		return f, fmt.Errorf("%s has no Go files: name the repository's folder", folder)
	}
	// The importer finds the module's packages only from a folder in the module.
	if build.Default.Dir, err = filepath.Abs(folder); err != nil {
		return f, err
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := conf.Check(module, fset, parsed, info)
	if err != nil {
		return f, err
	}
	name := func(pos token.Pos) string { return filepath.Base(fset.Position(pos).Filename) }
	uses := map[string]map[string]bool{}
	for id, o := range info.Uses {
		switch x := o.(type) {
		case *types.Var:
			o = x.Origin()
		case *types.Func:
			o = x.Origin()
		}
		if o.Pkg() != pkg {
			continue
		}
		from, to := name(id.Pos()), name(o.Pos())
		if from != to {
			if uses[from] == nil {
				uses[from] = map[string]bool{}
			}
			uses[from][to] = true
		}
	}
	f.circle = largestCircle(uses)
	f.session, f.config = fields(pkg, "Session"), fields(pkg, "Config")
	f.identifiers, f.methods = exportedIn(pkg)
	f.modules, err = countModules(folder)
	return f, err
}

// linesOfCode counts the lines with a token.
func linesOfCode(src []byte) int {
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile("", -1, len(src)), src, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		if tok == token.SEMICOLON && text == "\n" {
			continue
		}
		first := fset.Position(pos).Line
		for i := range 1 + bytes.Count([]byte(text), []byte("\n")) {
			lines[first+i] = true
		}
	}
}

func fields(pkg *types.Package, name string) int {
	o := pkg.Scope().Lookup(name)
	if o == nil {
		return 0
	}
	s, ok := o.Type().Underlying().(*types.Struct)
	if !ok {
		return 0
	}
	return s.NumFields()
}

func exportedIn(pkg *types.Package) (identifiers, methods int) {
	for _, name := range pkg.Scope().Names() {
		o := pkg.Scope().Lookup(name)
		if !o.Exported() {
			continue
		}
		identifiers++
		named, ok := o.Type().(*types.Named)
		if _, isType := o.(*types.TypeName); !ok || !isType {
			continue
		}
		for m := range named.Methods() {
			if m.Exported() {
				methods++
			}
		}
	}
	return identifiers, methods
}

func countModules(folder string) (n int, err error) {
	err = filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == ".git" || d.Name() == ".tools"):
			return filepath.SkipDir
		case d.Name() == "go.mod":
			n++
		}
		return nil
	})
	return n, err
}

// largestCircle returns the largest set of files in which each file reaches all others.
func largestCircle(uses map[string]map[string]bool) []string {
	reach := map[string]map[string]bool{}
	var visit func(from, at string)
	visit = func(from, at string) {
		for to := range uses[at] {
			if !reach[from][to] {
				reach[from][to] = true
				visit(from, to)
			}
		}
	}
	for from := range uses {
		reach[from] = map[string]bool{}
		visit(from, from)
	}
	var largest []string
	for from := range reach {
		var circle []string
		for to := range reach[from] {
			if reach[to][from] {
				circle = append(circle, to)
			}
		}
		if len(circle) > len(largest) {
			largest = circle
		}
	}
	slices.Sort(largest)
	return largest
}
