package main

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestThePictureIsTrue: the picture in docs/architecture.md has each package of the
// library with its imports, and no others.
func TestThePictureIsTrue(t *testing.T) {
	t.Parallel()
	_, text, found := strings.Cut(read(t, "docs/architecture.md"), "```mermaid\n")
	text, _, ends := strings.Cut(text, "```")
	if !found || !ends {
		t.Fatal("docs/architecture.md has no picture")
	}
	name := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ +(\w+)\["([^"]+)"\]$`).FindAllStringSubmatch(text, -1) {
		name[m[1]] = m[2]
	}
	drawn := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ +(\w+) --> (\w+)$`).FindAllStringSubmatch(text, -1) {
		if name[m[1]] == "" || name[m[2]] == "" {
			t.Errorf("%q leads from or to what is not in the picture", strings.TrimSpace(m[0]))
		}
		drawn[name[m[1]]+" → "+name[m[2]]] = true
	}
	shown := map[string]bool{}
	for _, n := range name {
		shown[n] = true
	}
	short := func(p string) (string, bool) {
		if p == module {
			return "session", true
		}
		return strings.CutPrefix(p, module+"/")
	}
	// Only tests import these.
	forTests := map[string]bool{"internal/promises": true, "internal/pipes": true}
	for _, folder := range []string{".", "redisstore", "pgxstore", "natsstore", "websocketsession", "fibersession", "otelsession"} {
		for _, p := range goList(t, path.Join(root, folder), "./...") {
			from, _ := short(p.ImportPath)
			if forTests[from] {
				continue
			}
			if !shown[from] {
				t.Errorf("the picture lacks %s", from)
			}
			for _, i := range p.Imports {
				if to, ours := short(i); ours {
					if !drawn[from+" → "+to] {
						t.Errorf("the picture lacks %s → %s", from, to)
					}
					delete(drawn, from+" → "+to)
				}
			}
		}
	}
	for arrow := range drawn {
		t.Errorf("nothing imports as drawn: %s", arrow)
	}
}
