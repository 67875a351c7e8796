package main

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// picture is the picture in docs/architecture.md. A package is named by its path in the repository;
// the root is "session".
type picture struct {
	group   map[string]string   // of each package
	imports map[string][]string // of each package
}

var (
	groupLine   = regexp.MustCompile(`^subgraph \w+\["(.+)"\]$`)
	packageLine = regexp.MustCompile(`^(\w+)\["(.+)"\]$`)
	arrowLine   = regexp.MustCompile(`^(\w+) --> (\w+)$`)
)

func readPicture(t *testing.T) picture {
	t.Helper()
	_, text, found := strings.Cut(read(t, "docs/architecture.md"), "```mermaid\n")
	text, _, ends := strings.Cut(text, "```")
	if !found || !ends {
		t.Fatal("docs/architecture.md has no picture")
	}
	p := picture{map[string]string{}, map[string][]string{}}
	name, group := map[string]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := groupLine.FindStringSubmatch(line); m != nil {
			group = m[1]
		} else if m := packageLine.FindStringSubmatch(line); m != nil {
			name[m[1]], p.group[m[2]] = m[2], group
		} else if m := arrowLine.FindStringSubmatch(line); m != nil {
			from, to := name[m[1]], name[m[2]]
			if from == "" || to == "" {
				t.Errorf("%q leads from or to what is not in the picture", line)
			}
			p.imports[from] = append(p.imports[from], to)
		}
	}
	return p
}

// TestThePictureIsTrue: the picture has each package of the library with its imports, and no others.
func TestThePictureIsTrue(t *testing.T) {
	t.Parallel()
	p := readPicture(t)
	// Only tests import these.
	forTests := map[string]bool{"internal/promises": true, "internal/pipes": true}
	short := func(p string) (string, bool) {
		if p == module {
			return "session", true
		}
		return strings.CutPrefix(p, module+"/")
	}
	there := map[string]bool{}
	for _, folder := range []string{".", "redisstore", "pgxstore", "natsstore", "websocketsession", "fibersession", "otelsession"} {
		for _, pkg := range goList(t, path.Join(root, folder), "./...") {
			from, _ := short(pkg.ImportPath)
			if forTests[from] {
				continue
			}
			there[from] = true
			if p.group[from] == "" {
				t.Errorf("the picture lacks %s", from)
			}
			drawn := p.imports[from]
			for _, i := range pkg.Imports {
				to, ours := short(i)
				if !ours {
					continue
				}
				if !slices.Contains(drawn, to) {
					t.Errorf("the picture lacks %s → %s", from, to)
				}
				drawn = slices.DeleteFunc(slices.Clone(drawn), func(other string) bool { return other == to })
			}
			for _, to := range drawn {
				t.Errorf("nothing imports as drawn: %s → %s", from, to)
			}
		}
	}
	for name := range p.group {
		if !there[name] {
			t.Errorf("the picture has %s, which does not exist", name)
		}
	}
}
