package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const version = "v0.1.0"

var day = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// mustGit runs git with a name for its commits.
func mustGit(t *testing.T, root string, args ...string) string {
	t.Helper()
	out, err := git(root, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// commitAll makes a repository of a folder.
func commitAll(t *testing.T, root string) {
	t.Helper()
	mustGit(t, root, "init", "--quiet")
	mustGit(t, root, "config", "user.name", "test")
	mustGit(t, root, "config", "user.email", "test@example.test")
	mustGit(t, root, "add", "--all")
	mustGit(t, root, "commit", "--quiet", "--message", "the tree")
}

// small makes a repository of three modules.
func small(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"CHANGELOG.md":   "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Everything.\n",
		"LICENSE":        "As you like.\n",
		"go.work":        "go 1.26\n\nuse (\n\t.\n\t./a\n\t./b\n\t./tests\n)\n",
		"go.mod":         "module " + ours + "\n\ngo 1.26\n",
		"doc.go":         "package session\n",
		"a/go.mod":       "module " + ours + "/a\n\ngo 1.26\n\nrequire (\n\t" + ours + " v0.0.1\n\t" + ours + "/b v0.0.1\n)\n",
		"a/doc.go":       "package a\n",
		"b/go.mod":       "module " + ours + "/b\n\ngo 1.26\n\nrequire " + ours + " v0.0.1\n",
		"b/doc.go":       "package b\n",
		"tests/go.mod":   "module " + ours + "/tests\n\ngo 1.26\n\nrequire " + ours + "/a v0.0.1\n",
		"tests/empty.go": "package tests\n",
	} {
		writeFile(t, filepath.Join(root, name), text)
	}
	commitAll(t, root)
	return root
}

// TestReleaseOfASmallTree: one commit, tags in the order of the requirements, a new
// heading, and nothing left in the tree.
func TestReleaseOfASmallTree(t *testing.T) {
	t.Parallel()
	root := small(t)
	var out strings.Builder
	if err := release(root, version, day, &out); err != nil {
		t.Fatal(err)
	}
	var pushed []string
	for _, line := range strings.Split(out.String(), "\n") {
		if tag, ok := strings.CutPrefix(line, "\tgit push origin "); ok {
			pushed = append(pushed, tag)
		}
	}
	if want := []string{"HEAD", "v0.1.0", "b/v0.1.0", "a/v0.1.0"}; !slices.Equal(pushed, want) {
		t.Errorf("to push: %q, want %q", pushed, want)
	}
	if tags := strings.Fields(mustGit(t, root, "tag")); !slices.Equal(tags, []string{"a/v0.1.0", "b/v0.1.0", "v0.1.0"}) {
		t.Errorf("tags: %q", tags)
	}
	if left := mustGit(t, root, "status", "--porcelain"); left != "" {
		t.Errorf("left in the tree:\n%s", left)
	}
	if n := mustGit(t, root, "rev-list", "--count", "HEAD"); n != "2\n" {
		t.Errorf("%s commits, want 2", n)
	}
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	const want = "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-27\n\n### Added\n\n- Everything.\n"
	if err != nil || string(text) != want {
		t.Errorf("CHANGELOG.md, %v:\n%s", err, text)
	}
	for _, name := range []string{"a/go.mod", "b/go.mod", "tests/go.mod"} {
		if text, _ := os.ReadFile(filepath.Join(root, name)); strings.Contains(string(text), "v0.0.1") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	if sums, _ := os.ReadFile(filepath.Join(root, "tests/go.sum")); strings.Count(string(sums), "\n") != 6 {
		t.Errorf("tests/go.sum has not the sums of three modules:\n%s", sums)
	}
}

// TestReleaseRefuses: an error says what is wrong, and the tree is unchanged.
func TestReleaseRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version string
		before  func(t *testing.T, root string)
		want    string
	}{
		"no version":        {"", nil, `"" is not a version`},
		"without v":         {"0.1.0", nil, `"0.1.0" is not a version`},
		"not canonical":     {"v0.1", nil, `"v0.1" is not a version`},
		"another major":     {"v2.0.0", nil, `"v2.0.0" is not a version`},
		"a changed file":    {version, func(t *testing.T, root string) { writeFile(t, filepath.Join(root, "doc.go"), "package x\n") }, "doc.go"},
		"a new file":        {version, func(t *testing.T, root string) { writeFile(t, filepath.Join(root, "new.go"), "package x\n") }, "new.go"},
		"a tag that exists": {version, func(t *testing.T, root string) { mustGit(t, root, "tag", "b/v0.1.0") }, "exist already:\nb/v0.1.0"},
		"no entries": {version, func(t *testing.T, root string) {
			writeFile(t, filepath.Join(root, "CHANGELOG.md"), "# Changelog\n\n## [Unreleased]\n\n## [0.0.1] - 2026-01-01\n\n- One.\n")
			mustGit(t, root, "commit", "--quiet", "--all", "--message", "none")
		}, "no entries under Unreleased"},
		"a replace": {version, func(t *testing.T, root string) {
			writeFile(t, filepath.Join(root, "b/go.mod"), "module "+ours+"/b\n\ngo 1.26\n\nreplace "+ours+" => ../\n")
			mustGit(t, root, "commit", "--quiet", "--all", "--message", "replace")
		}, "b/go.mod replaces a module"},
		"a circle": {version, func(t *testing.T, root string) {
			writeFile(t, filepath.Join(root, "b/go.mod"), "module "+ours+"/b\n\ngo 1.26\n\nrequire "+ours+"/a v0.0.1\n")
			mustGit(t, root, "commit", "--quiet", "--all", "--message", "circle")
		}, "in a circle"},
		"a hook that refuses the commit": {version, func(t *testing.T, root string) {
			hook := filepath.Join(root, ".git/hooks/pre-commit")
			writeFile(t, hook, "#!/bin/sh\nexit 1\n")
			if err := os.Chmod(hook, 0o755); err != nil {
				t.Fatal(err)
			}
		}, "git commit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := small(t)
			if c.before != nil {
				c.before(t, root)
			}
			was := mustGit(t, root, "status", "--porcelain") + mustGit(t, root, "rev-parse", "HEAD") + mustGit(t, root, "tag")
			err := release(root, c.version, day, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q in it", err, c.want)
			}
			if is := mustGit(t, root, "status", "--porcelain") + mustGit(t, root, "rev-parse", "HEAD") + mustGit(t, root, "tag"); is != was {
				t.Errorf("was\n%s\nis\n%s", was, is)
			}
		})
	}
}

// clone commits a copy of the present working tree.
func clone(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	const from = "../.."
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", ".tools", "node_modules", "dist"}, d.Name()) {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if d.Name() == ".git" || !d.Type().IsRegular() { // .git is a file in a worktree
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
	commitAll(t, to)
	return to
}

// goTool runs a command with the environment of the test and additional variables.
func goTool(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), args[0], args[1:]...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestLongReadingLeavesTheTreeClean: go commands that only read leave nothing to commit in the
// clone.
func TestLongReadingLeavesTheTreeClean(t *testing.T) {
	t.Parallel()
	root := clone(t)
	workspace := []string{"GOWORK=", "GOFLAGS="}
	for _, args := range [][]string{
		{"go", "doc", "."}, {"go", "list", "./..."}, {"go", "list", "-m", "all"}, {"go", "mod", "download"}, {"go", "vet", "./..."},
		{"go", "-C", "redisstore", "doc", "."}, {"go", "-C", "cmd/nestsession", "list", "-deps", "./..."},
		{"go", "-C", "pgxstore", "vet", "./..."}, {"go", "-C", "tests", "vet", "./redisstore"}, {".ci/in", "tests", "go", "list", "-m", "all"},
	} {
		goTool(t, root, workspace, args...)
		if left := mustGit(t, root, "status", "--porcelain"); left != "" {
			t.Errorf("%s leaves\n%s%s", strings.Join(args, " "), left, mustGit(t, root, "diff"))
			mustGit(t, root, "reset", "--quiet", "--hard")
		}
	}
}
