// Command release prepares a release in the clone, and does nothing outside it: one
// commit that names the version in each go.mod, go.sum and in CHANGELOG.md, and the tags
// of all released modules in the order in which they depend on each other. It prints
// what to push.
//
//	make release VERSION=v0.1.0
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

func main() {
	version := flag.String("version", "", "the version, such as v0.1.0")
	root := flag.String("root", ".", "the repository's folder")
	flag.Parse()
	if err := release(*root, *version, time.Now(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release makes the commit and the tags. If it fails, it restores the tree.
func release(root, version string, now time.Time, out io.Writer) (err error) {
	if !semver.IsValid(version) || semver.Canonical(version) != version || semver.Major(version) > "v1" {
		return fmt.Errorf("%q is not a version of these modules: write VERSION=v0.1.0", version)
	}
	changed, err := git(root, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("the tree has changes that are not committed:\n%s", changed)
	}
	mods, err := load(root)
	if err != nil {
		return err
	}
	var tags []string
	for _, m := range mods {
		if m.released() {
			tags = append(tags, m.tag(version))
		}
	}
	exist, err := git(root, append([]string{"tag", "--list"}, tags...)...)
	if err != nil {
		return err
	}
	if exist != "" {
		return fmt.Errorf("these tags exist already:\n%s", exist)
	}
	log := filepath.Join(root, "CHANGELOG.md")
	text, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	entries, err := turn(string(text), version, now)
	if err != nil {
		return err
	}

	head, err := git(root, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	var tagged []string
	defer func() {
		if err == nil {
			return
		}
		for _, tag := range tagged {
			_, undo := git(root, "tag", "--delete", tag)
			err = errors.Join(err, undo)
		}
		_, undo := git(root, "add", "--all") // a new go.sum too
		err = errors.Join(err, undo)
		_, undo = git(root, "reset", "--quiet", "--hard", strings.TrimSpace(head))
		err = errors.Join(err, undo)
	}()
	if err := os.WriteFile(log, []byte(entries), 0o644); err != nil {
		return err
	}
	if err := nameInWorkspace(root, mods, version); err != nil {
		return err
	}
	if err := name(root, mods, version); err != nil {
		return err
	}
	if _, err := git(root, "add", "--all"); err != nil {
		return err
	}
	if _, err := git(root, "commit", "--quiet", "--message", "Release "+version); err != nil {
		return err
	}
	for _, tag := range tags {
		if _, err := git(root, "tag", "--annotate", "--message", tag, tag); err != nil {
			return err
		}
		tagged = append(tagged, tag)
	}
	fmt.Fprintf(out, "%s is prepared in this clone. To publish it:\n\n\tgit push origin HEAD\n", version)
	for _, tag := range tags {
		fmt.Fprintf(out, "\tgit push origin %s\n", tag)
	}
	return nil
}

const unreleased = "## [Unreleased]"

// turn moves the entries under Unreleased to a heading with the version and the date.
func turn(text, version string, now time.Time) (string, error) {
	before, after, found := strings.Cut(text, unreleased+"\n")
	if !found {
		return "", fmt.Errorf("CHANGELOG.md has no %q", unreleased)
	}
	entries, _, _ := strings.Cut(after, "\n## ")
	if !slices.ContainsFunc(strings.Split(entries, "\n"), func(line string) bool { return strings.HasPrefix(line, "- ") }) {
		return "", errors.New("CHANGELOG.md has no entries under Unreleased")
	}
	return fmt.Sprintf("%s%s\n\n## [%s] - %s\n%s", before, unreleased, version[1:], now.Format(time.DateOnly), after), nil
}
