// Package node runs the Node applications of tests.
package node

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// maxWait is how long a process may take to end.
const maxWait = time.Minute

// Install installs the pinned npm packages of the folder, if .ci/setup has not. Call it once in a
// process.
func Install(folder string) error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("these tests run real Node applications and need Node.js 20.19 or later, with npm, and a C++ compiler, make and Python for packages with native code: %w", err)
		}
	}
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		return err
	}
	mark := filepath.Join(folder, "node_modules/.installed")
	if installed, err := os.ReadFile(mark); err == nil && bytes.Equal(lock, installed) {
		return nil
	}
	if err := NPM(folder, "ci", "--no-audit", "--no-fund"); err != nil {
		return err
	}
	return os.WriteFile(mark, lock, 0o644)
}

// NPM runs npm in the folder. Native packages need node's headers: those that came with node, if
// they did; otherwise node-gyp downloads them.
func NPM(folder string, args ...string) error {
	prefix, err := exec.Command("node", "-p", "path.dirname(path.dirname(fs.realpathSync(process.execPath)))").Output()
	if err != nil {
		return err
	}
	npm := exec.Command("npm", args...)
	npm.Dir = folder
	npm.Env = append(os.Environ(), "npm_config_build_from_source=true", "JOBS="+strconv.Itoa(runtime.NumCPU()))
	headers := strings.TrimSpace(string(prefix))
	if _, err := os.Stat(filepath.Join(headers, "include/node/node.h")); err == nil {
		npm.Env = append(npm.Env, "npm_config_nodedir="+headers)
	}
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm %s in %s: %w\n%s", args[0], folder, err, out)
	}
	return nil
}

// Start runs server.js of the folder with the argument as JSON and with additional variables, and
// returns its output. The process ends with the test; or when this process ends for whatever reason,
// because its input is then closed. The test fails if the process ends with an error.
func Start(t testing.TB, folder string, argument any, env ...string) *bufio.Reader {
	t.Helper()
	text, err := json.Marshal(argument)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "server.js", string(text))
	node.Dir = folder
	node.Env = append(os.Environ(), env...)
	var complaints bytes.Buffer
	node.Stderr = &complaints
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		defer time.AfterFunc(maxWait, func() { _ = node.Process.Kill() }).Stop()
		if err := node.Wait(); err != nil {
			t.Errorf("node ended with %v", err)
		}
		if t.Failed() {
			t.Logf("node has written\n%s", &complaints)
		}
	})
	return bufio.NewReader(stdout)
}
