package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\[([^\]\n]*)\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	goTest  = regexp.MustCompile(`^(?:Test|Fuzz|Example)[A-Za-z0-9_]+$`)
)

// TestLinks: the files and headings in the repository to which a document links exist, and a link
// with the name of a test leads to the file with that test.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, path := range documents(t) {
		text := withoutBlocks(read(t, path))
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			name, target := strings.Trim(m[1], "`"), m[2]
			if strings.Contains(target, "://") {
				continue
			}
			target, fragment, _ := strings.Cut(target, "#")
			file := path
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(path), target))
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: [%s](%s): there is no such file", path, m[1], m[2])
				continue
			}
			if fragment != "" && !slices.Contains(anchors(read(t, file)), fragment) {
				t.Errorf("%s: [%s](%s): there is no such heading", path, m[1], m[2])
			}
			if goTest.MatchString(name) && !strings.Contains(read(t, file), "\nfunc "+name+"(") {
				t.Errorf("%s: there is no test %s in %s", path, name, file)
			}
		}
	}
}

func withoutBlocks(text string) string {
	return regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(text, "")
}

// anchors are the fragments under which GitHub finds a document's headings.
func anchors(text string) []string {
	var found []string
	for _, m := range heading.FindAllStringSubmatch(withoutBlocks(text), -1) {
		s := strings.ToLower(m[1])
		s = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(s, "")
		found = append(found, strings.ReplaceAll(s, " ", "-"))
	}
	return found
}

var promised = regexp.MustCompile(`\bTestPromise(\d\d)_\w+`)

// TestPromisesAreTested: the READMEs have all promises, each with a link to its tests.
func TestPromisesAreTested(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{}
	for _, path := range goFiles(t) {
		if dir := filepath.ToSlash(filepath.Dir(path)); strings.HasSuffix(path, "_test.go") && (dir == "." || dir == "internal/promises") {
			for _, m := range regexp.MustCompile(`(?m)^func (TestPromise\d\d_\w+)\(`).FindAllStringSubmatch(read(t, path), -1) {
				tests[m[1]] = true
			}
		}
	}
	for _, path := range []string{"README.md", "README.ko.md"} {
		numbers := map[string]bool{}
		for _, m := range promised.FindAllStringSubmatch(read(t, path), -1) {
			if numbers[m[1]] = true; !tests[m[0]] {
				t.Errorf("%s names %s, which is no test of the root package, nor of internal/promises", path, m[0])
			}
		}
		if len(numbers) != 20 {
			t.Errorf("%s names tests of %d promises of 20", path, len(numbers))
		}
	}
}

// TestCommentsNameDocumentsThatExist: a document that a comment names exists.
func TestCommentsNameDocumentsThatExist(t *testing.T) {
	t.Parallel()
	document := regexp.MustCompile(`[\w./-]+\.md\b`)
	for _, path := range goFiles(t) {
		if strings.HasPrefix(path, "tools/") {
			continue
		}
		for _, line := range strings.Split(read(t, path), "\n") {
			_, text, found := strings.Cut(line, "//")
			if !found {
				continue
			}
			for _, name := range document.FindAllString(text, -1) {
				if _, err := os.Stat(filepath.Join(root, name)); err != nil && !strings.Contains(text, "://") {
					if _, err := os.Stat(filepath.Join(root, filepath.Dir(path), name)); err != nil {
						t.Errorf("%s names %s, which does not exist", path, name)
					}
				}
			}
		}
	}
}
