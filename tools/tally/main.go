// Command tally runs a command, says how it went, and keeps count, so that the last
// line of a run can say honestly what passed.
//
//	tally tests LABEL go test -json ...   counts each test that the command ran
//	tally check LABEL COMMAND ...         counts the command itself
//	tally skip LABEL WHY                  counts something that was not run
//	tally sum                             prints `N passed, N failed, N skipped`
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
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	book := book{path: os.Getenv("TALLY_FILE")}
	if book.path == "" {
		return fmt.Errorf("TALLY_FILE is not set: name a file to count in")
	}
	if len(args) == 1 && args[0] == "sum" {
		return book.sum()
	}
	if len(args) < 3 {
		return fmt.Errorf("write: tally tests|check|skip LABEL COMMAND..., or tally sum")
	}
	var c count
	var err error
	switch label := args[1]; args[0] {
	case "tests":
		c, err = runTests(label, args[2:], os.Getenv("CI") == "true")
	case "check":
		c, err = runCheck(label, args[2:])
	case "skip":
		fmt.Printf("SKIP  %s: %s\n", label, args[2])
		c.skipped = 1
	default:
		err = fmt.Errorf("%q is none of tests, check, skip and sum", args[0])
	}
	if err != nil {
		return err
	}
	if err := book.add(c, args[1]); err != nil {
		return err
	}
	if c.failed > 0 {
		os.Exit(1)
	}
	return nil
}
