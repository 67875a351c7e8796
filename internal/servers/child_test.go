//go:build unix

package servers

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// childMode is the environment variable that tells TestInChild what to do in a process that another
// test started.
const childMode = "NESTSESSION_SERVERS_TEST"

// TestInChild does nothing, except in a process that another test started.
func TestInChild(t *testing.T) {
	switch os.Getenv(childMode) {
	case "starts and waits":
		for _, start := range kinds {
			k := start(t)
			pids := append(descendants(k.PID()), k.PID())
			fmt.Println("started", k.Dir(), strings.Trim(fmt.Sprint(pids), "[]"))
		}
		fmt.Println("all")
		select {}
	case "fails":
		StartRedis(t, RedisOptions{})
		t.Error("a failure")
	case "without Main":
		SharedRedis(t)
	case "nothing but a folder":
		dir, err := newFolder("none")
		fmt.Println("folder", dir, err)
	}
}

// child is this test program in a mode of [TestInChild].
func child(mode, temp string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestInChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), childMode+"="+mode, "TMPDIR="+temp)
	return cmd
}

// TestServersEndWithAKilledProcess: if the test process is killed with SIGKILL, which it cannot
// handle, its servers end, and the next process removes their folders.
func TestServersEndWithAKilledProcess(t *testing.T) {
	t.Parallel()
	temp := shortTemp(t)
	cmd := child("starts and waits", temp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var family []int
	var dirs []string
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "all" {
		words := strings.Fields(lines.Text())
		if len(words) < 3 || words[0] != "started" {
			continue
		}
		dirs = append(dirs, words[1])
		for _, word := range words[2:] {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			family = append(family, pid)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if len(dirs) != len(kinds) || len(family) < len(kinds)+3 {
		t.Fatalf("servers in %q, processes %v", dirs, family)
	}
	for _, pid := range family {
		if !eventually(func() bool { return !isAlive(pid) }) {
			t.Errorf("process %d is left", pid)
		}
	}
	if out, err := child("nothing but a folder", temp).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, dir := range dirs {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("the folder of a killed process is left: %v", err)
		}
	}
}

// shortTemp is a folder for temporary files that every user can enter, with a path that is short
// enough for Unix sockets.
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFoldersOfLivingProcessesStay: only folders whose process has ended are removed.
func TestFoldersOfLivingProcessesStay(t *testing.T) {
	t.Parallel()
	r := StartRedis(t, RedisOptions{})
	if out, err := child("nothing but a folder", os.TempDir()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(r.Dir()); err != nil {
		t.Errorf("another process removed the folder of a server that runs: %v", err)
	}
}

// TestLogIsPrintedWithAFailure: the output of a test that fails has the server's log.
func TestLogIsPrintedWithAFailure(t *testing.T) {
	t.Parallel()
	out, err := child("fails", shortTemp(t)).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the end of the log of redis at 127.0.0.1:") ||
		!strings.Contains(string(out), "Ready to accept connections") {
		t.Errorf("%v; the test printed:\n%s", err, out)
	}
}

// TestSharedServersNeedMain: without Main nothing would end them.
func TestSharedServersNeedMain(t *testing.T) {
	t.Parallel()
	out, err := child("without Main", shortTemp(t)).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "os.Exit(servers.Main(m))") {
		t.Errorf("%v; the test printed:\n%s", err, out)
	}
}
