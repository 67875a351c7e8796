package main

import (
	"bufio"
	"fmt"
	"os"
)

// count is how many of a command's tests went which way.
type count struct{ passed, failed, skipped int }

// book is the file in which the counts of a run are kept.
type book struct{ path string }

func (b book) add(c count, label string) error {
	f, err := os.OpenFile(b.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(f, "%d %d %d %s\n", c.passed, c.failed, c.skipped, label); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// sum prints what failed, and the line that counts everything. Nothing counted is a
// failure: then nothing was run.
func (b book) sum() error {
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close()
	var total count
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var c count
		if _, err := fmt.Sscan(lines.Text(), &c.passed, &c.failed, &c.skipped); err != nil {
			return fmt.Errorf("%s: %q: %w", b.path, lines.Text(), err)
		}
		total.passed += c.passed
		total.failed += c.failed
		total.skipped += c.skipped
		if c.failed > 0 {
			fmt.Printf("failed: %s\n", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if total.passed == 0 && total.failed == 0 {
		total.failed = 1
	}
	fmt.Printf("%d passed, %d failed", total.passed, total.failed)
	if total.skipped > 0 {
		fmt.Printf(", %d skipped", total.skipped)
	}
	fmt.Println()
	if total.failed > 0 {
		os.Exit(1)
	}
	return nil
}
