package main

import (
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block is a fenced block of code in a document.
type block struct {
	path string
	line int
	lang string
	text string
}

var fence = regexp.MustCompile("^ *```([a-z]*)$")

// blocksOf returns the code in a Markdown document.
func blocksOf(t *testing.T, path string) []block {
	t.Helper()
	var blocks []block
	var open *block
	for i, line := range strings.Split(read(t, path), "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m != nil && open == nil:
			open = &block{path: path, line: i + 1, lang: m[1]}
		case m != nil:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Errorf("%s:%d: a block that does not end", path, open.line)
	}
	return blocks
}

// documents are the Markdown files of the project.
func documents(t *testing.T) []string {
	t.Helper()
	return files(t, func(path string) bool { return filepath.Ext(path) == ".md" })
}

// packageExamples are the blocks of code in the package comments that most users read first.
func packageExamples(t *testing.T) []block {
	t.Helper()
	var blocks []block
	for _, path := range []string{"doc.go", "express/express.go"} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, read(t, path), parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, commentBlocks(path, fset, f.Doc)...)
	}
	return blocks
}

func commentBlocks(path string, fset *token.FileSet, doc *ast.CommentGroup) []block {
	if doc == nil {
		return nil
	}
	var blocks []block
	for _, c := range new(comment.Parser).Parse(doc.Text()).Content {
		if code, ok := c.(*comment.Code); ok {
			blocks = append(blocks, block{path: path, line: fset.Position(doc.Pos()).Line, lang: "go", text: code.Text})
		}
	}
	return blocks
}
