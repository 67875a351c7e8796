package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	serveCommand = "go run ./cmd/nestsession serve"
	testCommand  = "make test"

	// TestLongInstall of tools/release runs these commands as a user would, with the program.
	getCommand = "go get github.com/nestsession/session"
	runCommand = "SESSION_SECRET=$(openssl rand -base64 32) go run ."
)

// TestReadmeCommandsWork runs the commands of the READMEs unchanged: the one that starts a server,
// and then every curl line. The comment below a line is its output.
func TestReadmeCommandsWork(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"README.md", "README.ko.md"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			var walk []string
			served, tested := false, false
			for _, b := range blocksOf(t, path) {
				if b.lang != "sh" {
					continue
				}
				switch text := strings.TrimSpace(b.text); {
				case text == serveCommand:
					served = true
				case text == testCommand:
					tested = true // this test is running it
				case text == getCommand, text == runCommand:
				default:
					walk = append(walk, strings.Split(text, "\n")...)
				}
			}
			if !served || !tested {
				t.Fatalf("the two commands are not there, each in a block of its own: %q, %q", serveCommand, testCommand)
			}
			if !strings.Contains(read(t, "Makefile"), "\ntest:") {
				t.Errorf("the Makefile has no target test")
			}
			walkThrough(t, startServer(t), walk)
		})
	}
}

// startServer runs the documented command, and returns where the server listens.
func startServer(t *testing.T) (address string) {
	t.Helper()
	c := exec.Command("sh", "-c", serveCommand) // it ends below, and not with t.Context, which ends earlier
	c.Dir = root
	c.Env = append(withoutVariables(os.Environ(), "GOWORK", "NESTSESSION_"),
		"NESTSESSION_ADDRESS=127.0.0.1:0", "NESTSESSION_DATA="+t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGINT) // as Ctrl-C does, to the whole process group
		_ = c.Wait()                                     // until the server too has closed its output; the shell ends by the signal
		if t.Failed() {
			t.Logf("the server wrote:\n%s", errs.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: said nothing: %v\n%s", serveCommand, err, errs.String())
	}
	_, rest, found := strings.Cut(line, "http://")
	if !found {
		t.Fatalf("%s: said %q, which names no address", serveCommand, line)
	}
	return strings.Fields(rest)[0]
}

func withoutVariables(env []string, prefixes ...string) []string {
	var kept []string
	for _, v := range env {
		drop := false
		for _, p := range prefixes {
			drop = drop || strings.HasPrefix(v, p)
		}
		if !drop {
			kept = append(kept, v)
		}
	}
	return kept
}

// walkThrough runs lines of shell and compares the output of each with the comments below it. A
// configuration of curl replaces the documented address with that of the server.
func walkThrough(t *testing.T, address string, lines []string) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, ".curlrc"), fmt.Sprintf("connect-to = \"%s:%s\"\n", documentedAddress, address))
	var command, want, got string
	ran := 0
	check := func() {
		if command != "" && got != want {
			t.Errorf("$ %s\nprints\n%s\nand the document says\n%s", command, got, want)
		}
		want = ""
	}
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, "# "); ok {
			want += text + "\n"
			continue
		}
		check()
		command = line
		c := exec.CommandContext(t.Context(), "sh", "-ec", line)
		c.Dir = dir
		c.Env = append(os.Environ(), "CURL_HOME="+dir, "HOME="+dir)
		var errs bytes.Buffer
		c.Stderr = &errs
		out, err := c.Output()
		if err != nil {
			t.Fatalf("$ %s\n%v\n%s%s", line, err, out, errs.String())
		}
		got = string(out)
		ran++
	}
	check()
	if ran < 3 {
		t.Errorf("ran %d lines; where is the walk-through?", ran)
	}
}
