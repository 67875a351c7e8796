// Command tally runs a command, says how it went, and keeps count, so that the last
// lines of a run can say honestly what passed, what failed, and how to run only that.
//
//	tally tests FOLDER go test -json ...  counts each test that the command runs in the module
//	tally check LABEL COMMAND ...         counts the command itself
//	tally skip LABEL WHY                  counts something that was not run
//	tally sum                             prints what failed, and `N passed, N failed, N skipped`
//
// A failed subtest counts once: the tests around it, which failed with it, count neither
// as failed nor as passed. While a command runs and prints nothing, tally says what it
// is at.
//
// With TALLY_IN=SCRIPT the command of tests is run as SCRIPT FOLDER COMMAND..., and
// otherwise in the folder.
//
// The counts are kept in the file that TALLY_FILE names, a line each. The exit status
// is 1 if anything failed. With CI=true a test that skips itself has failed: what it
// needs has to be there.
package main

import (
	"fmt"
	"os"
)

func main() {
	ok, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(args []string) (ok bool, err error) {
	book := book{path: os.Getenv("TALLY_FILE")}
	if book.path == "" {
		return false, fmt.Errorf("TALLY_FILE is not set: name a file to count in")
	}
	if len(args) == 1 && args[0] == "sum" {
		return book.sum(os.Stdout)
	}
	if len(args) < 3 {
		return false, fmt.Errorf("write: tally tests|check|skip LABEL COMMAND..., or tally sum")
	}
	var e entry
	out := newPulse(os.Stdout)
	switch label := args[1]; args[0] {
	case "tests":
		e, err = runTests(out, os.Getenv("TALLY_IN"), label, args[2:], os.Getenv("CI") == "true")
	case "check":
		e = runCheck(out, label, args[2:])
	case "skip":
		fmt.Fprintf(out, "SKIP  %s: %s\n", label, args[2])
		e = entry{Label: label, count: count{Skipped: 1}}
	default:
		err = fmt.Errorf("%q is none of tests, check, skip and sum", args[0])
	}
	if err != nil {
		return false, err
	}
	return e.Failed == 0, book.add(e)
}
