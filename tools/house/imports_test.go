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

// mayImport says which packages of ours those of the root module may import.
var mayImport = map[string][]string{
	"":                  {"cookie", "store", "store/memstore", "internal/check", "internal/clone", "internal/deadline", "internal/devices", "internal/document", "internal/exchange", "internal/frames", "internal/ids", "internal/jar", "internal/jsontext", "internal/lifetime", "internal/records", "internal/replay", "internal/report", "internal/token", "internal/verified"},
	"cookie":            {},
	"store":             {},
	"express":           {"", "cookie"},
	"eventstream":       {""},
	"devicebound":       {""},
	"stepup":            {""},
	"sessiontest":       {"", "cookie", "store", "store/memstore"},
	"store/storetest":   {"store"},
	"store/memstore":    {"store", "internal/arena", "internal/feed", "internal/pack"},
	"store/nearcache":   {"store", "internal/feed", "internal/digest"},
	"internal/backoff":  {},
	"internal/batch":    {},
	"internal/check":    {"cookie", "internal/jar", "internal/lifetime"},
	"internal/clone":    {"internal/jsontext"},
	"internal/crew":     {},
	"internal/deadline": {},
	"internal/devices":  {"internal/check", "internal/document"},
	"internal/digest":   {"store"},
	"internal/document": {"internal/clone", "internal/jsontext", "internal/recent", "internal/sealed"},
	"internal/exchange": {"internal/frames", "internal/once"},
	"internal/feed":     {"store", "internal/backoff"},
	"internal/frames":   {},
	"internal/ids":      {"cookie", "internal/document", "internal/token"},
	"internal/jar":      {"cookie", "internal/verified"},
	"internal/jsontext": {},
	"internal/lifetime": {"internal/document"},
	"internal/once":     {},
	"internal/recent":   {},
	"internal/records":  {"store", "internal/backoff", "internal/crew", "internal/deadline", "internal/document", "internal/ids", "internal/watch"},
	"internal/replay":   {"internal/clone", "internal/document", "internal/frames"},
	"internal/report":   {},
	"internal/sealed":   {},
	"internal/token":    {"cookie", "internal/check", "internal/jar"},
	"internal/verified": {"cookie", "internal/recent"},
	"internal/watch":    {"store", "internal/digest", "internal/feed", "internal/backoff"},
	"internal/promises": {"", "express", "store"},
}

// allowed returns the packages that a package may import. A store imports only the contract and the
// package that batches calls.
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
// express → session, cookie; every store and storetest → store, and the packages that spread events or batch calls;
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
