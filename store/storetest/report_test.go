package storetest

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// childVariable makes TestInChild run the kit against a broken store.
const childVariable = "STORETEST_BROKEN"

// Run fails the test both for a broken rule and for a missing capability that is not named,
// and prints what a reader needs. A process of its own runs it, because it fails.
func TestRunFailsTheTest(t *testing.T) {
	t.Parallel()
	child := exec.Command(os.Args[0], "-test.run=^TestInChild$", "-test.v")
	child.Env = append(os.Environ(), childVariable+"=1")
	out, err := child.CombinedOutput()
	if err == nil {
		t.Error("a broken store passes")
	}
	for _, want := range []string{
		"--- FAIL: TestInChild/Swap/NeverCreates",
		"rule: a Store must not create a record in Update",
		"case: storetest/swap.go:",
		"--- FAIL: TestInChild/Capabilities",
		"the store has no Lister",
		"--- FAIL: TestInChild/Without/LongIDs",
		"the store has LongIDs, but Options.Without names it",
		"--- PASS: TestInChild/Load/Unknown",
		"--- PASS: TestInChild/Without/Watcher",
		"callers poll",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output does not say %q", want)
		}
	}
	for _, unwanted := range []string{"TestInChild/Watch/", "TestInChild/ID/Long"} {
		if strings.Contains(string(out), unwanted) {
			t.Errorf("%s was run, though it is named as left out", unwanted)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// A store with only the five methods gets one line for each capability that it lacks, and
// runs the other cases without waiting. Its author need not know Options for that.
func TestZeroOptions(t *testing.T) {
	t.Parallel()
	child := exec.Command(os.Args[0], "-test.run=^TestFiveMethodsInChild$", "-test.v")
	child.Env = append(os.Environ(), childVariable+"=1")
	began := time.Now()
	out, err := child.CombinedOutput()
	if err == nil {
		t.Error("what is missing is no failure")
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	text := string(out)
	for _, name := range slices.Collect(maps.Keys(interfaces)) {
		if n := strings.Count(text, "the store has no "+string(name)); n != 1 {
			t.Errorf("that there is no %s is said %d times", name, n)
		}
	}
	for _, unwanted := range []string{"panic", "nil pointer", "goroutine "} {
		if strings.Contains(text, unwanted) {
			t.Errorf("the output says %q", unwanted)
		}
	}
	if n := strings.Count(text, "--- FAIL"); n != 2 || !strings.Contains(text, "--- FAIL: TestFiveMethodsInChild/Capabilities") {
		t.Errorf("%d failures, want only that of Capabilities", n)
	}
	if n := strings.Count(text, "--- PASS"); n < 30 {
		t.Errorf("%d cases have passed, want those of the five methods", n)
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

func TestFiveMethodsInChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		return // runs only in the child of TestZeroOptions
	}
	Run(t, func(t *testing.T) Opened {
		tab := newTable()
		t.Cleanup(func() { close(tab.quit) })
		return Opened{Store: five{simple{tab}}}
	}, Options{})
}

func TestInChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		return // runs only in the child of TestRunFailsTheTest
	}
	Run(t, func(*testing.T) Opened {
		b := newBent()
		b.update = upsert(b)
		return Opened{Store: five{b}}
	}, Options{Synctest: true, Without: map[Capability]string{
		Watcher: "callers poll",
		LongIDs: "a mistake",
		Sweeper: "expires by itself",
		Pinger:  "has no connection",
		Closer:  "belongs to the caller",
		Peers:   "one process alone",
	}})
}
