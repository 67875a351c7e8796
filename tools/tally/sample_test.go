package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inSample runs the tests of a package of testdata, which is a module.
func inSample(t *testing.T, folder, pkg, timeout string, strict bool) (e entry, printed string) {
	t.Helper()
	var out bytes.Buffer
	e, err := runTests(newPulse(&out), "", folder, []string{"go", "test", "-json", "-count=1", "-race", "-timeout=" + timeout, pkg}, strict)
	if err != nil {
		t.Fatal(err)
	}
	return e, out.String()
}

// TestRealRuns: each kind of failure of go test is reported as one failure, with its reason and
// output.
func TestRealRuns(t *testing.T) {
	t.Parallel()
	const long = "10m"
	for name, c := range map[string]struct {
		timeout string
		want    count
		failed  []string // each failure and its reason
		shown   []string
		hidden  []string
	}{
		"passes": {
			timeout: long, want: count{Passed: 5}, hidden: []string{"noise"},
		},
		"subtests": {
			timeout: long, want: count{Passed: 3, Failed: 7},
			failed: []string{
				" TestParent/group/bad: ", ` TestParent/group/it's_(a)_"b"_$c_[d]/e|f: `, " TestParallel/n1: ", " TestParallel/n3: ",
				" TestItself: ", " FuzzFails/seed#0: ", " Example: ",
			},
			shown: []string{
				"the bad's reason", "the odd's reason", "reason 1", "reason 3", "reason of the test itself", "reason of the seed",
				"got:\none thing\nwant:\nanother\n", "what the parent says",
			},
			hidden: []string{"noise"},
		},
		"panics": {
			timeout: long, want: count{Passed: 1, Failed: 1}, failed: []string{" TestPanics/deep: panicked"},
			shown: []string{"panic: boom", "panics.TestPanics.func1"},
		},
		"undefined": {
			timeout: long, want: count{Failed: 1}, failed: []string{": does not build"}, shown: []string{"undefined: nobodyHasDefinedThis"},
		},
		"vetted": {
			timeout: long, want: count{Failed: 1}, failed: []string{": does not build"}, shown: []string{"of wrong type string"},
		},
		"hangs": {
			timeout: "10s", want: count{Passed: 1, Failed: 1}, failed: []string{" TestHangs/forever: timed out after 10s"},
			shown: []string{"goroutine ", "hangs.TestHangs.func1"},
		},
		"races": {
			timeout: long, want: count{Passed: 1, Failed: 1}, failed: []string{" TestRaces/within: data race"},
			shown: []string{"WARNING: DATA RACE", "races_test.go:9"},
		},
		"skips": {
			timeout: long, want: count{Passed: 1, Skipped: 1}, shown: []string{"TestSkips", "the reason to skip"},
		},
		"writes": {
			timeout: long, want: count{Passed: 1, Failed: 1}, failed: []string{" TestFailsWithoutNewline: "},
			shown: []string{"begun and not ended"}, hidden: []string{"and this one"},
		},
		"testmain": {
			timeout: long, want: count{Passed: 1, Failed: 1}, failed: []string{": failed outside of its tests"}, shown: []string{"the reason of TestMain"},
		},
		"exits": {
			timeout: long, want: count{Failed: 1}, failed: []string{" TestExits/within: did not end"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, printed := inSample(t, "testdata/sample", "./"+name, c.timeout, false)
			var failed []string
			for _, f := range e.Failures {
				failed = append(failed, strings.TrimPrefix(f.What, "example.com/sample/"+name)+": "+f.Why)
				if f.Where != "testdata/sample" {
					t.Errorf("%s is said to be in the module %q", f.What, f.Where)
				}
			}
			slices.Sort(failed)
			slices.Sort(c.failed)
			if e.count != c.want || !slices.Equal(failed, c.failed) {
				t.Errorf("counted %+v and named %q, want %+v and %q", e.count, failed, c.want, c.failed)
			}
			for _, text := range c.shown {
				if !strings.Contains(printed, text) {
					t.Errorf("%q is not shown", text)
				}
			}
			for _, text := range c.hidden {
				if strings.Contains(printed, text) {
					t.Errorf("%q is shown", text)
				}
			}
			if t.Failed() {
				t.Log(printed)
			}
		})
	}
}

// A panic outside of the tests' goroutines ends the process while several run: one of them is
// reported with it, and the others are not.
func TestPanicOfAGoroutine(t *testing.T) {
	t.Parallel()
	e, printed := inSample(t, "testdata/sample", "./goroutine", "10m", false)
	if e.count != (count{Failed: 1}) || len(e.Failures) != 1 || e.Failures[0].Why != "panicked" || !strings.Contains(printed, "boom of a goroutine") {
		t.Errorf("%+v\n%s", e, printed)
	}
	if !strings.Contains(printed, "not run to the end because of that, and not counted: Test") {
		t.Errorf("the other test is not named:\n%s", printed)
	}
}

func TestSkipFailsInCI(t *testing.T) {
	t.Parallel()
	e, printed := inSample(t, "testdata/sample", "./skips", "10m", true)
	if e.count != (count{Passed: 1, Failed: 1}) || !strings.Contains(printed, "the reason to skip") {
		t.Errorf("%+v\n%s", e, printed)
	}
}

func TestModuleThatCannotBeLoaded(t *testing.T) {
	t.Parallel()
	e, printed := inSample(t, "testdata/broken", "./...", "10m", false)
	if e.Failed != 1 || len(e.Failures) != 1 || !strings.Contains(printed, "example.com/nowhere") {
		t.Errorf("%+v\n%s", e, printed)
	}
}

// TestAgain: the command that is printed runs the test which failed, and no other.
func TestAgain(t *testing.T) {
	t.Parallel()
	e, _ := inSample(t, "testdata/sample", "./subtests", "10m", false)
	reasons := map[string]string{
		"TestParent/group/bad": "the bad's reason", "/e|f": "the odd's reason", "TestParallel/n1": "reason 1", "TestParallel/n3": "reason 3",
		"TestItself": "reason of the test itself", "FuzzFails/seed#0": "reason of the seed", "Example": "want:\nanother",
	}
	if len(e.Failures) != len(reasons) {
		t.Errorf("%d failures, want %d", len(e.Failures), len(reasons))
	}
	for _, f := range e.Failures {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", f.Again).CombinedOutput()
		if err == nil {
			t.Errorf("%s: passes\n%s", f.Again, out)
		}
		for name, reason := range reasons {
			if strings.Contains(string(out), reason) != strings.HasSuffix(f.What, name) {
				t.Errorf("%s:\n%s\nand %q is %s's reason", f.Again, out, reason, name)
			}
		}
	}
}

// TestAgainInAModule: with a script that runs a command in a module's folder, the tests run by that
// script, and so does the printed command.
func TestAgainInAModule(t *testing.T) {
	t.Parallel()
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("#!/bin/sh\ncd \"$1\" && shift && echo by the script && GOWORK=off exec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e, err := runTests(newPulse(&out), in, "testdata/sample", []string{"go", "test", "-json", "-count=1", "./writes"}, false)
	if err != nil || len(e.Failures) != 1 || !strings.Contains(out.String(), "by the script") {
		t.Fatalf("%+v, %v\n%s", e, err, out.String())
	}
	want := in + " testdata/sample go test -run '^TestFailsWithoutNewline$' ./writes"
	if got := e.Failures[0].Again; got != want {
		t.Errorf("again: %s\nwant   %s", got, want)
	}
}
