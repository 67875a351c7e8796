package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// ours is the path of the root module. The paths of the other modules begin with it.
const ours = "github.com/nestsession/session"

// inClone are the modules that are not released, because nobody outside the clone imports them.
var inClone = []string{"benchmarks", "examples", "tests", "tools"}

// mod is a module of the repository.
type mod struct {
	folder string // relative to the root, with slashes; "." for the root module
	file   *modfile.File
}

func (m *mod) released() bool { return !slices.Contains(inClone, m.folder) }

func (m *mod) path() string { return path.Join(ours, m.folder) }

// tag is the git tag under which the go command looks for the version.
func (m *mod) tag(version string) string { return path.Join(m.folder, version) }

// requires are the modules of ours in go.mod, with or without a comment "indirect".
func (m *mod) requires() (paths []string) {
	for _, r := range m.file.Require {
		if r.Mod.Path == ours || strings.HasPrefix(r.Mod.Path, ours+"/") {
			paths = append(paths, r.Mod.Path)
		}
	}
	return paths
}

// load reads the go.mod files that are in git, and sorts each module after those that it requires.
func load(root string) ([]*mod, error) {
	list, err := git(root, "ls-files", "-z")
	if err != nil {
		return nil, err
	}
	var all []*mod
	for _, name := range strings.Split(list, "\x00") {
		if path.Base(name) != "go.mod" || strings.Contains(name, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		f, err := modfile.Parse(name, text, nil)
		if err != nil {
			return nil, err
		}
		m := &mod{folder: path.Dir(name), file: f}
		if m.released() && len(f.Replace) > 0 {
			return nil, fmt.Errorf("%s replaces a module, which a user's go command does not see", name)
		}
		all = append(all, m)
	}
	return inOrder(all)
}

func inOrder(all []*mod) (ordered []*mod, err error) {
	placed := map[string]bool{}
	for len(ordered) < len(all) {
		before := len(ordered)
		for _, m := range all {
			ready := !slices.ContainsFunc(m.requires(), func(path string) bool { return !placed[path] })
			if ready && !placed[m.path()] {
				placed[m.path()] = true
				ordered = append(ordered, m)
			}
		}
		if len(ordered) == before {
			return nil, errors.New("modules require each other in a circle, or one that is not in the repository")
		}
	}
	return ordered, nil
}

// name writes the version into each go.mod, and the checksums of the released modules into each
// go.sum. A module's own checksum depends on its go.sum, so mods must be in order.
func name(root string, mods []*mod, version string) error {
	sums := map[string][]string{} // lines of go.sum for a module and all that it requires
	for _, m := range mods {
		folder := filepath.Join(root, m.folder)
		lines := map[string]bool{}
		for _, path := range m.requires() {
			if err := m.file.AddRequire(path, version); err != nil {
				return err
			}
			for _, line := range sums[path] {
				lines[line] = true
			}
		}
		text, err := m.file.Format()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "go.mod"), text, 0o644); err != nil {
			return err
		}
		if err := writeSums(filepath.Join(folder, "go.sum"), lines); err != nil {
			return err
		}
		if _, err := git(root, "add", "--", m.folder); err != nil { // a new go.sum is in the archive
			return err
		}
		if !m.released() {
			continue
		}
		var archive bytes.Buffer
		if err := pack(&archive, root, m, version); err != nil {
			return err
		}
		whole, file, err := hashes(archive.Bytes(), text)
		if err != nil {
			return err
		}
		for line := range lines {
			sums[m.path()] = append(sums[m.path()], line)
		}
		sums[m.path()] = append(sums[m.path()],
			fmt.Sprintf("%s %s %s", m.path(), version, whole), fmt.Sprintf("%s %s/go.mod %s", m.path(), version, file))
	}
	return nil
}

// nameInWorkspace makes go.work take the version from the folders, because the go command would
// look for it elsewhere until it is published.
func nameInWorkspace(root string, mods []*mod, version string) error {
	file := filepath.Join(root, "go.work")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	work, err := modfile.ParseWork("go.work", text, nil)
	if err != nil {
		return err
	}
	for _, r := range slices.Clone(work.Replace) {
		if err := work.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return err
		}
	}
	for _, m := range mods {
		if !m.released() {
			continue
		}
		folder := "./" + m.folder
		if m.folder == "." {
			folder = "./"
		}
		if err := work.AddReplace(m.path(), version, folder, ""); err != nil {
			return err
		}
	}
	work.Cleanup()
	work.SortBlocks()
	return os.WriteFile(file, modfile.Format(work.Syntax), 0o644)
}

// writeSums replaces the lines of our modules.
func writeSums(name string, lines map[string]bool) error {
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	all := maps.Clone(lines)
	for _, line := range strings.Split(string(text), "\n") {
		if line != "" && !strings.HasPrefix(line, ours+" ") && !strings.HasPrefix(line, ours+"/") {
			all[line] = true
		}
	}
	if len(all) == 0 && len(text) == 0 {
		return nil
	}
	byModule := map[module.Version]string{}
	var order []module.Version
	for line := range all {
		words := strings.Fields(line)
		if len(words) != 3 {
			return fmt.Errorf("%s: %q is not a checksum", name, line)
		}
		v := module.Version{Path: words[0], Version: words[1]}
		byModule[v] = line
		order = append(order, v)
	}
	module.Sort(order)
	var b strings.Builder
	for _, v := range order {
		fmt.Fprintln(&b, byModule[v])
	}
	return os.WriteFile(name, []byte(b.String()), 0o644)
}

// hashes returns the checksums of a module's archive and of its go.mod.
func hashes(archive, gomod []byte) (whole, file string, err error) {
	f, err := os.CreateTemp("", "release-*.zip")
	if err != nil {
		return "", "", err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(archive); err != nil {
		return "", "", err
	}
	if err := f.Close(); err != nil {
		return "", "", err
	}
	if whole, err = dirhash.HashZip(f.Name(), dirhash.Hash1); err != nil {
		return "", "", err
	}
	file, err = dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(gomod)), nil
	})
	return whole, file, err
}

// pack writes the archive of the module's files in git, as the go command does. A module in a
// folder without a LICENSE gets the root's, as the go command does it.
func pack(w io.Writer, root string, m *mod, version string) error {
	list, err := git(root, "ls-files", "-z", "--", m.folder)
	if err != nil {
		return err
	}
	var files []zip.File
	licensed := false
	for _, name := range strings.Split(strings.TrimSuffix(list, "\x00"), "\x00") {
		inside := name
		if m.folder != "." {
			inside = strings.TrimPrefix(name, m.folder+"/")
		}
		licensed = licensed || inside == "LICENSE"
		files = append(files, packed{inside, filepath.Join(root, name)})
	}
	if !licensed {
		files = append(files, packed{"LICENSE", filepath.Join(root, "LICENSE")})
	}
	return zip.Create(w, module.Version{Path: m.path(), Version: version}, files)
}

// packed is a file in an archive.
type packed struct{ inside, name string }

func (p packed) Path() string                 { return p.inside }
func (p packed) Lstat() (fs.FileInfo, error)  { return os.Lstat(p.name) }
func (p packed) Open() (io.ReadCloser, error) { return os.Open(p.name) }

// git runs git in the repository.
func git(root string, args ...string) (string, error) {
	c := exec.Command("git", args...)
	c.Dir = root
	out, err := c.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("git %s: %w\n%s%s", args[0], err, out, exit.Stderr)
	}
	return string(out), err
}
