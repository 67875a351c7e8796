package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// module is a module whose tests are run.
type module struct {
	in     string   // the script that runs a command in the folder; "" if none is needed
	folder string   // as it was given
	path   string   // its import path; "" if that is unknown
	flags  []string // the flags of go test that are needed to repeat a test
}

// moduleIn looks at the module in a folder and at the command that tests it.
func moduleIn(in, folder string, args []string) (module, error) {
	m := module{in: in, folder: folder}
	if _, err := os.Stat(folder); err != nil {
		return m, err
	}
	c := exec.Command("go", "list", "-m")
	c.Dir = folder
	c.Env = append(os.Environ(), "GOWORK=off")
	// go test reports errors of the module
	if out, err := c.Output(); err == nil {
		m.path = strings.TrimSpace(string(out))
	}
	for _, flag := range args {
		switch name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "="); {
		case !strings.HasPrefix(flag, "-"):
		case name == "json", name == "count", name == "timeout", name == "p", name == "skip":
		default:
			m.flags = append(m.flags, flag)
		}
	}
	return m, nil
}

// label names a run of tests, since two runs of a module may be at work at the same time.
func (m module) label() string {
	for _, flag := range m.flags {
		if strings.HasPrefix(flag, "-run=") {
			return "module " + m.folder + " " + flag
		}
	}
	return "module " + m.folder
}

// pkg is a package as the go command takes it within the module.
func (m module) pkg(path string) string {
	if m.path == "" {
		return path
	}
	if rest, ok := strings.CutPrefix(path, m.path); ok && (rest == "" || rest[0] == '/') {
		return "." + rest
	}
	return path
}

// again returns the command that runs only one test, or with test "" a package.
func (m module) again(pkg, test string) string {
	args := append([]string{"go", "test"}, m.flags...)
	if test != "" {
		args = append(args, "-run", pattern(test))
	}
	if m.in != "" {
		return shell(append([]string{m.in, m.folder}, append(args, pkg)...))
	}
	return fmt.Sprintf("(cd %s && GOWORK=off %s)", quoted(m.folder), shell(append(args, pkg)))
}

// pattern is the -run that matches a test and nothing else.
func pattern(test string) string {
	names := strings.Split(test, "/")
	for i, name := range names {
		names[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	return strings.Join(names, "/")
}

// shell returns a command as a user types it.
func shell(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = quoted(arg)
	}
	return strings.Join(words, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=,@%+-]+$`)

func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
