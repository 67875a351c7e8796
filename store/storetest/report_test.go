package storetest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childVariable makes TestInChild run the kit against a broken store.
const childVariable = "STORETEST_BROKEN"

// Run fails the test, for a broken rule as for a capability that is not named,
// and says what a reader needs. It takes a process of its own to see it fail.
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

func TestInChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		return // runs in the child of TestRunFailsTheTest alone
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
