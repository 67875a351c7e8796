package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRootModuleNeedsNoOther: the library needs no other module.
func TestRootModuleNeedsNoOther(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, root, "-deps", "-test", "./...") {
		if !p.Standard && !strings.HasPrefix(p.ImportPath, module) {
			t.Errorf("the root module needs %s; what does belongs in a module of its own", p.ImportPath)
		}
	}
	for _, line := range strings.Split(read(t, "go.mod"), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "require") {
			t.Errorf("go.mod: %q; the root module requires nothing", line)
		}
	}
}

// mayLead says to which groups of the picture in docs/architecture.md arrows may lead from a group, besides
// its own. So a store can be used without sessions, and nothing below a request knows the type of its data.
var mayLead = map[string][]string{
	"who uses sessions":      {"a request", "its parts", "the contract of stores", "stores"},
	"a request":              {"its parts", "the contract of stores", "stores"},
	"its parts":              {"the contract of stores", "their parts"},
	"the contract of stores": {},
	"stores":                 {"the contract of stores", "their parts"},
	"their parts":            {"the contract of stores"},
}

// TestDirectionOfImports: TestThePictureIsTrue shows that the packages import what the picture says.
func TestDirectionOfImports(t *testing.T) {
	t.Parallel()
	p := readPicture(t)
	for from, all := range p.imports {
		for _, to := range all {
			if a, b := p.group[from], p.group[to]; a != b && !slices.Contains(mayLead[a], b) {
				t.Errorf("%s imports %s: no arrow may lead from %q to %q", from, to, a, b)
			}
		}
	}
	for _, free := range []string{"store", "cookie"} {
		if all := p.imports[free]; len(all) > 0 {
			t.Errorf("%s imports %q; it imports only the standard library", free, all)
		}
	}
}

// TestModulesAreForUsers: no module replaces another, because a user's go command ignores that, and
// each requires a version of ours that can be released. The workspace has all modules for work in
// the clone; .ci/in runs a command in one without the workspace.
func TestModulesAreForUsers(t *testing.T) {
	t.Parallel()
	work := read(t, "go.work")
	for _, path := range files(t, func(path string) bool { return filepath.Base(path) == "go.mod" }) {
		dir, text := filepath.ToSlash(filepath.Dir(path)), read(t, path)
		if use := "./" + dir + "\n"; dir != "." && !strings.Contains(work, use) {
			t.Errorf("go.work does not use %s", dir)
		}
		if strings.Contains(text, "replace") {
			t.Errorf("%s replaces a module", path)
		}
		if strings.Contains(text, " v0.0.0\n") {
			t.Errorf("%s requires a version that is never released", path)
		}
	}
}

// TestStoresDoNotBringTheirTests: a store's module does not require the test servers and the
// linearizability check.
func TestStoresDoNotBringTheirTests(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{".", "redisstore", "pgxstore", "natsstore", "websocketsession", "fibersession", "otelsession"} {
		for _, path := range []string{"internal/servers", "store/storetest/linear"} {
			if strings.Contains(read(t, dir+"/go.mod"), path) {
				t.Errorf("%s/go.mod requires %s: tests that need it belong in tests/%s", dir, path, dir)
			}
		}
	}
}
