package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// count is how many of a command's tests passed, failed and were skipped.
type count struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
}

func (c *count) add(other count) {
	c.Passed += other.Passed
	c.Failed += other.Failed
	c.Skipped += other.Skipped
}

// failure is one test, package or check that failed, for the end of the run.
type failure struct {
	What  string `json:"what"`  // the test and its package, or the check
	Why   string `json:"why"`   // "" if its output has the reason
	Where string `json:"where"` // the module; "" of a check
	Again string `json:"again"` // the command that runs only it
}

// entry is the result of a command: a line of the book.
type entry struct {
	count
	Label    string    `json:"label"`
	Failures []failure `json:"failures,omitempty"`
}

// book is the file with the results of a run.
type book struct{ path string }

func (b book) add(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(b.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(append(line, '\n')); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// sum prints each failure with the command that repeats it, and then the line with the totals, and
// reports whether all passed. An empty book is a failure, because nothing was run.
func (b book) sum(w io.Writer) (ok bool, err error) {
	f, err := os.Open(b.path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var total count
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return false, fmt.Errorf("%s: %q: %w", b.path, line, err)
		}
		total.add(e.count)
		for _, f := range e.Failures {
			f.print(w)
		}
	}
	if total.Passed == 0 && total.Failed == 0 {
		total.Failed = 1
	}
	fmt.Fprintf(w, "%d passed, %d failed", total.Passed, total.Failed)
	if total.Skipped > 0 {
		fmt.Fprintf(w, ", %d skipped", total.Skipped)
	}
	fmt.Fprintln(w)
	return total.Failed == 0, nil
}

func (f failure) print(w io.Writer) {
	fmt.Fprintf(w, "failed: %s", f.What)
	if f.Where != "" {
		fmt.Fprintf(w, ", module %s", f.Where)
	}
	if f.Why != "" {
		fmt.Fprintf(w, ": %s", f.Why)
	}
	fmt.Fprintf(w, "\n        %s\n", f.Again)
}
