// Package model checks the models in docs/model with spin: the right ones in every order of their
// calls, and that each planted bug is found.
package model

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// bugs are the planted ones, by their number: what is violated, and for which requests.
var bugs = []struct {
	model    string
	bug      int
	requests int
	violated string // a part of the assertion
}{
	{"session", 1, 1, "is[key]"},
	{"session", 2, 1, "saved&kept"},
	{"session", 3, 1, "!(u)"},
	{"session", 4, 4, "visitor"},
	{"session", 5, 2, "cookie!=255"},
	{"nearcache", 6, 0, "got>=least"},
	{"nearcache", 7, 0, "got>=least"},
	{"nearcache", 8, 0, "got>=least"},
}

// requestSets is how many values REQUESTS has in session.pml.
const requestSets = 6

func TestLongModelsHold(t *testing.T) {
	t.Parallel()
	for requests := 1; requests <= requestSets; requests++ {
		t.Run(fmt.Sprintf("session, requests %d", requests), func(t *testing.T) {
			t.Parallel()
			wantNone(t, check(t, "session", 0, requests))
		})
	}
	t.Run("nearcache", func(t *testing.T) {
		t.Parallel()
		wantNone(t, check(t, "nearcache", 0, 0))
	})
}

func TestLongPlantedBugsOfTheModelsAreFound(t *testing.T) {
	t.Parallel()
	for _, b := range bugs {
		t.Run(fmt.Sprintf("%s, bug %d", b.model, b.bug), func(t *testing.T) {
			t.Parallel()
			out := check(t, b.model, b.bug, b.requests)
			line := regexp.MustCompile(`assertion violated .*`).FindString(out)
			if !strings.Contains(strings.ReplaceAll(line, " ", ""), b.violated) {
				t.Errorf("it was not found, or something else was: %q", line)
			}
		})
	}
}

func wantNone(t *testing.T, out string) {
	t.Helper()
	if !strings.Contains(out, "errors: 0") || strings.Contains(out, "max search depth too small") || strings.Contains(out, "out of memory") {
		t.Error(out)
	}
	for line := range strings.SplitSeq(out, "\n") {
		if strings.Contains(line, "states, stored") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// check returns what spin finds.
func check(t *testing.T, model string, bug, requests int) string {
	t.Helper()
	source, err := filepath.Abs(filepath.Join("../../docs/model", model+".pml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(name string, arguments ...string) string {
		cmd := exec.CommandContext(t.Context(), name, arguments...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: run `make setup`, or install the Debian packages spin and gcc\n%s", name, err, out)
		}
		return string(out)
	}
	text, err := os.ReadFile(source)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "model.pml"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	run("spin", fmt.Sprintf("-DBUG=%d", bug), fmt.Sprintf("-DREQUESTS=%d", requests), "-a", "model.pml")
	optimize := "-O0" // compiling takes longer than a search through few states
	if model == "nearcache" && bug == 0 {
		optimize = "-O2"
	}
	run("cc", optimize, "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
	return run(filepath.Join(dir, "pan"), "-m100000")
}
