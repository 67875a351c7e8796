package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// quoting are the folders and pages whose code needs more than the standard library. It is quoted
// from the module examples, where it is compiled and tested.
var quoting = []string{"docs/guides/", "docs/howto/", "docs/stores/", "docs/frameworks.md"}

// quotes reports whether a document quotes its code from examples.
func quotes(path string) bool {
	for _, folder := range quoting {
		if strings.HasPrefix(path, folder) {
			return true
		}
	}
	return false
}

// quotedBlock reports whether a block is quoted code: in such a page, or because it needs a module
// of its own.
func quotedBlock(b block) bool {
	return quotes(b.path) || strings.Contains(b.text, "websocketsession.") || strings.Contains(b.text, "otelsession.")
}

// TestQuotedCodeIsTheCode: a block of Go in such a page is in a file of examples, line by line,
// except for the indentation.
func TestQuotedCodeIsTheCode(t *testing.T) {
	t.Parallel()
	var code []string
	for _, path := range goFiles(t) {
		if strings.HasPrefix(path, "examples/") || strings.HasPrefix(path, "websocketsession/example") || strings.HasPrefix(path, "otelsession/example") {
			code = append(code, "\n"+unindented(read(t, path)))
		}
	}
	found := 0
	for _, path := range documents(t) {
		for _, b := range blocksOf(t, path) {
			if b.lang != "go" || !quotedBlock(b) {
				continue
			}
			found++
			if text := "\n" + unindented(b.text); !containsAny(code, text) {
				t.Errorf("%s:%d: this code is in no file of examples; quote it as it stands there:\n%s", b.path, b.line, b.text)
			}
		}
	}
	if found < 3 {
		t.Errorf("found %d quotes; are they marked ```go?", found)
	}
}

// unindented removes the tabs at the beginning of each line.
func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimLeft(line, "\t")
	}
	return strings.Join(lines, "\n")
}

func containsAny(texts []string, part string) bool {
	for _, text := range texts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// TestJavaScriptInDocumentsParses: Node.js parses each block.
func TestJavaScriptInDocumentsParses(t *testing.T) {
	t.Parallel()
	for _, path := range documents(t) {
		for _, b := range blocksOf(t, path) {
			if b.lang != "js" {
				continue
			}
			file := filepath.Join(t.TempDir(), "block.mjs")
			writeFile(t, file, b.text)
			if out, err := exec.CommandContext(t.Context(), "node", "--check", file).CombinedOutput(); err != nil {
				t.Errorf("%s:%d: %v\n%s", b.path, b.line, err, out)
			}
		}
	}
}

// TestQuotedTypeScriptIsTheCode: a block of TypeScript is in the NestJS application that
// the live tests run, line by line, except for the indentation.
func TestQuotedTypeScriptIsTheCode(t *testing.T) {
	t.Parallel()
	var code []string
	for _, path := range files(t, func(path string) bool {
		return strings.Contains(path, "live/node/nest/") && strings.HasSuffix(path, ".ts") && !strings.Contains(path, "/dist/")
	}) {
		code = append(code, "\n"+leftAligned(read(t, path)))
	}
	for _, path := range documents(t) {
		for _, b := range blocksOf(t, path) {
			if b.lang == "ts" && !containsAny(code, "\n"+leftAligned(b.text)) {
				t.Errorf("%s:%d: this code is in no file of the NestJS application; quote it as it stands there:\n%s", b.path, b.line, b.text)
			}
		}
	}
}

// leftAligned removes the spaces at the beginning of each line.
func leftAligned(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimLeft(line, " ")
	}
	return strings.Join(lines, "\n")
}
