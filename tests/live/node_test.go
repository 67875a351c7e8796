package live_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// nodeSettings is the first argument of node/server.js.
type nodeSettings struct {
	Kind     string    `json:"kind"` // the npm package of the store
	URL      string    `json:"url,omitempty"`
	Nodes    []string  `json:"nodes,omitempty"` // URLs of a Redis Cluster's nodes
	File     string    `json:"file,omitempty"`
	Creates  bool      `json:"creates"` // whether the package makes its table
	Prefix   string    `json:"prefix,omitempty"`
	Rollback bool      `json:"rollback,omitempty"` // no write-ahead log in SQLite
	Schema   any       `json:"schema,omitempty"`   // of express-mysql-session
	Secret   string    `json:"secret"`
	Apps     []nodeApp `json:"apps"`
}

type nodeApp struct {
	Name    string `json:"name"`
	MaxAge  int64  `json:"maxAge"` // ms; 0: none
	Rolling bool   `json:"rolling"`
	Cookie  string `json:"cookie,omitempty"` // its name; "": connect.sid
	Domain  string `json:"domain,omitempty"`
}

// nodeAddresses is what it prints: where the two applications listen.
type nodeAddresses struct{ Express, Nest string }

// startNode starts the real express-session and NestJS. The process ends with the test; or when
// this process ends for whatever reason, because its input is then closed.
func startNode(t *testing.T, settings nodeSettings) nodeAddresses {
	t.Helper()
	if err := installNode(); err != nil {
		t.Fatal(err)
	}
	argument, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "server.js", string(argument))
	node.Dir = "node"
	// As node/nest/main.ts reads them; without TLS, the cookie must not be Secure.
	node.Env = append(os.Environ(), "SESSION_SECRET="+settings.Secret, "NODE_ENV=none", "TZ=America/St_Johns")
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
	var addresses nodeAddresses
	decoded := json.NewDecoder(stdout).Decode(&addresses)
	t.Cleanup(func() {
		stdin.Close()
		defer time.AfterFunc(maxWait, func() { _ = node.Process.Kill() }).Stop()
		if err := node.Wait(); err != nil || decoded != nil || t.Failed() {
			t.Logf("node ended with %v and said\n%s", err, &complaints)
		}
	})
	if decoded != nil {
		t.Fatalf("node says no addresses: %v", decoded)
	}
	return addresses
}

// installNode does what .ci/setup does, if that was not done: it installs the pinned packages, and
// compiles the NestJS application if its sources have changed.
var installNode = sync.OnceValue(func() error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("the live tests talk to real Node applications and need Node.js 20.19 or later, with npm, and a C++ compiler, make and Python to build SQLite for it: %w", err)
		}
	}
	lock, err := os.ReadFile("node/package-lock.json")
	if err != nil {
		return err
	}
	installed, err := os.ReadFile("node/node_modules/.installed")
	if err != nil || !bytes.Equal(lock, installed) {
		if err := runNPM("ci", "--no-audit", "--no-fund"); err != nil {
			return err
		}
		return os.WriteFile("node/node_modules/.installed", lock, 0o644)
	}
	stale, err := staleBuild()
	if err != nil || !stale {
		return err
	}
	return runNPM("run", "build")
})

// staleBuild reports whether a source of the NestJS application is newer than the compiled files.
func staleBuild() (bool, error) {
	built, err := os.Stat("node/nest/dist/main.js")
	if err != nil {
		return true, nil
	}
	sources, err := fs.Glob(os.DirFS("node/nest"), "*.*s*")
	for _, name := range sources {
		info, err := os.Stat(filepath.Join("node/nest", name))
		if err != nil || info.ModTime().After(built.ModTime()) {
			return true, err
		}
	}
	return false, err
}

// runNPM runs npm in the folder. Native packages need node's headers: those that came with node, if
// they did; otherwise node-gyp downloads them.
func runNPM(args ...string) error {
	prefix, err := exec.Command("node", "-p", "path.dirname(path.dirname(fs.realpathSync(process.execPath)))").Output()
	if err != nil {
		return err
	}
	npm := exec.Command("npm", args...)
	npm.Dir = "node"
	npm.Env = append(os.Environ(), "npm_config_build_from_source=true", "JOBS="+strconv.Itoa(runtime.NumCPU()))
	folder := strings.TrimSpace(string(prefix))
	if _, err := os.Stat(filepath.Join(folder, "include/node/node.h")); err == nil {
		npm.Env = append(npm.Env, "npm_config_nodedir="+folder)
	}
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm %s in tests/live/node: %w\n%s", args[0], err, out)
	}
	return nil
}
