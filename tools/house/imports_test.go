package house

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRootModuleNeedsNoOther: who imports the library gets nothing else with it.
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

// mayImport says which packages of ours those of the root module may import.
var mayImport = map[string][]string{
	"":                    {"cookie", "store", "store/memstore", "internal/watch", "internal/backoff"},
	"cookie":              {},
	"store":               {},
	"express":             {"", "cookie"},
	"eventstream":         {""},
	"sessiontest":         {"", "cookie", "store", "store/memstore"},
	"store/storetest":     {"store"},
	"store/memstore":      {"store", "internal/feed"},
	"store/nearcache":     {"store", "internal/feed", "internal/digest"},
	"internal/batch":      {},
	"internal/backoff":    {},
	"internal/digest":     {"store"},
	"internal/feed":       {"store", "internal/backoff"},
	"internal/watch":      {"store", "internal/digest", "internal/feed", "internal/backoff"},
	"internal/promises":   {"", "express", "store"},
	"internal/simulation": {"", "express", "store", "store/memstore", "store/nearcache", "internal/backoff"},
}

// allowed returns what a package may import. Every store imports the contract, and what
// gathers calls, alone.
func allowed(path string) []string {
	if rule, ok := mayImport[path]; ok {
		return rule
	}
	if strings.HasPrefix(path, "store/") {
		return []string{"store", "internal/batch"}
	}
	return nil
}

// TestDirectionOfImports: cmd, adapters → session → cookie, store, memstore;
// express → session, cookie; every store and storetest → store, and what spreads events or gathers calls;
// store, cookie → the standard library. So a store can be used without sessions, and nothing goes in circles.
func TestDirectionOfImports(t *testing.T) {
	t.Parallel()
	ours := func(path string) (string, bool) {
		if path == module {
			return "", true
		}
		return strings.CutPrefix(path, module+"/")
	}
	for _, p := range goList(t, root, "./...") {
		from, _ := ours(p.ImportPath)
		for _, path := range p.Imports {
			if to, ok := ours(path); ok && !slices.Contains(allowed(from), to) {
				t.Errorf("%q imports %q; it may import of ours: %q", from, to, allowed(from))
			}
		}
	}
}

// TestModulesStandAlone: every module but the root finds it by a replace, so that
// GOWORK=off builds it, and the workspace has all that are for users.
func TestModulesStandAlone(t *testing.T) {
	t.Parallel()
	work := read(t, "go.work")
	for _, path := range files(t, func(path string) bool { return filepath.Base(path) == "go.mod" }) {
		dir := filepath.ToSlash(filepath.Dir(path))
		text := read(t, path)
		if dir == "tools" {
			continue // for the checks alone; its versions are nobody else's business
		}
		if use := "./" + dir + "\n"; dir != "." && !strings.Contains(work, use) {
			t.Errorf("go.work does not use %s", dir)
		}
		if dir != "." && strings.Contains(text, module+" v0.0.0") && !strings.Contains(text, module+" => ") {
			t.Errorf("%s requires %s without a replace, so that it does not build by itself", path, module)
		}
	}
}
