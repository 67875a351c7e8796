package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// runCheck runs a command that passes or fails as a whole. Its output is of interest
// only if it failed.
func runCheck(label string, args []string) (count, error) {
	var out bytes.Buffer
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = &out, &out
	began := time.Now()
	err := c.Run()
	took := time.Since(began).Round(100 * time.Millisecond)
	if err == nil {
		fmt.Printf("ok    %s  %v\n", label, took)
		return count{passed: 1}, nil
	}
	fmt.Printf("FAIL  %s  %v: %v\n", label, took, err)
	os.Stdout.Write(out.Bytes())
	return count{failed: 1}, nil
}

// runTests runs `go test -json ...` and counts its tests.
func runTests(label string, args []string, strict bool) (count, error) {
	fmt.Printf("====  %s\n", label)
	c := exec.Command(args[0], args[1:]...)
	c.Stderr = os.Stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		return count{}, err
	}
	if err := c.Start(); err != nil {
		return count{}, err
	}
	r := newReport(os.Stdout, strict)
	readErr := r.read(stdout)
	err = c.Wait()
	total := r.finish()
	if readErr != nil {
		return total, readErr
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return total, err
	}
	if err != nil && total.failed == 0 {
		fmt.Printf("FAIL  %s: %v\n", label, err)
		total.failed++
	}
	return total, nil
}
