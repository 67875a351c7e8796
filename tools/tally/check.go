package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// runCheck runs a command that passes or fails as a whole. Its output is shown only if it fails.
func runCheck(w *pulse, label string, args []string) entry {
	var out bytes.Buffer
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = &out, &out
	ended := make(chan error, 1)
	go func() { ended <- c.Run() }()
	err, _ := during(w, ended, func() string { return fmt.Sprintf("%s, %v", label, w.ran()) })
	took := time.Since(w.began).Round(100 * time.Millisecond)
	if err == nil {
		fmt.Fprintf(w, "ok    %s  %v\n", label, took)
		return entry{Label: label, count: count{Passed: 1}}
	}
	fmt.Fprintf(w, "FAIL  %s  %v: %v\n", label, took, err)
	w.Write(out.Bytes())
	w.endLine()
	return entry{
		Label: label, count: count{Failed: 1},
		Failures: []failure{{What: label, Why: err.Error(), Again: shell(args)}},
	}
}

// runTests runs `go test -json ...` in a module's folder and counts its tests. If in is
// not empty it is the script that runs a command in a module's folder, .ci/in.
func runTests(w *pulse, in, folder string, args []string, strict bool) (entry, error) {
	fmt.Fprintf(w, "====  module %s\n", folder)
	m, err := moduleIn(in, folder, args)
	if err != nil {
		return entry{}, err
	}
	c := exec.Command(args[0], args[1:]...)
	c.Dir, c.Env = folder, append(os.Environ(), "GOWORK=off")
	if in != "" {
		c = exec.Command(in, append([]string{folder}, args...)...)
	}
	c.Stderr = os.Stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		return entry{}, err
	}
	if err := c.Start(); err != nil {
		return entry{}, err
	}
	r := newReport(w, m, strict)
	readErr := r.read(stdout)
	if readErr != nil {
		io.Copy(io.Discard, stdout) // so that the command can end
	}
	err = c.Wait()
	e := r.finish()
	if readErr != nil {
		return e, readErr
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return e, err
	}
	if err != nil && e.Failed == 0 {
		fmt.Fprintf(w, "FAIL  module %s: %v\n", folder, err)
		e.Failed = 1
		e.Failures = []failure{{What: "the module's tests as a whole", Where: folder, Why: err.Error(), Again: m.again("./...", "")}}
	}
	return e, nil
}
