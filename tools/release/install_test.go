package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
)

// released returns the released modules, each after those that it requires.
func released(t *testing.T, root string) []*mod {
	t.Helper()
	mods, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(mods, func(m *mod) bool { return !m.released() })
}

// publish writes the released modules into a folder in the form of a proxy.
func publish(t *testing.T, root, proxy string) {
	t.Helper()
	for _, m := range released(t, root) {
		escaped, err := module.EscapePath(m.path())
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
		gomod, err := os.ReadFile(filepath.Join(root, m.folder, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		var archive bytes.Buffer
		if err := pack(&archive, root, m, version); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"list": version + "\n", version + ".mod": string(gomod), version + ".zip": archive.String(),
			version + ".info": fmt.Sprintf(`{"Version":%q,"Time":"2026-11-27T12:00:00Z"}`, version),
		} {
			writeFile(t, filepath.Join(at, name), text)
		}
	}
}

// goEnv returns a value of `go env`.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(goTool(t, ".", nil, "go", "env", name))
}

// emptyCache makes a module cache that can be removed.
func emptyCache(t *testing.T) string { return "GOMODCACHE=" + filepath.Join(t.TempDir(), "mod") }

// others is a proxy with what this machine has downloaded before, followed by the usual proxies.
func others(t *testing.T) string {
	return "file://" + filepath.Join(goEnv(t, "GOMODCACHE"), "cache/download") + "," + goEnv(t, "GOPROXY")
}

// TestLongInstall releases a copy of the working tree as v0.1.0, and installs it as a user would
// who has only Go and a proxy with the modules.
func TestLongInstall(t *testing.T) {
	t.Parallel()
	root := clone(t)
	if err := release(root, version, day, io.Discard); err != nil {
		t.Fatal(err)
	}
	t.Run("checksums", func(t *testing.T) { t.Parallel(); sameSums(t, root) })

	proxy := t.TempDir()
	publish(t, root, proxy)
	t.Run("library", func(t *testing.T) { t.Parallel(); useLibrary(t, root, proxy) })
	t.Run("command", func(t *testing.T) { t.Parallel(); installCommand(t, proxy) })
}

// sameSums: the checksums in go.sum are those that the go command computes when it gets the modules
// from the repository by their tags.
func sameSums(t *testing.T, root string) {
	env := []string{
		"GOWORK=off", "GOFLAGS=-modcacherw -trimpath", "GOPROXY=direct", "GOSUMDB=off", emptyCache(t),
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url." + root + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + ours, "GIT_ALLOW_PROTOCOL=file",
	}
	sums, err := os.ReadFile(filepath.Join(root, "cmd/nestsession/go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	mods := released(t, root)
	command := mods[slices.IndexFunc(mods, func(m *mod) bool { return m.folder == "cmd/nestsession" })]
	for _, m := range mods {
		if !slices.Contains(command.requires(), m.path()) {
			continue
		}
		var got struct{ Sum, GoModSum string }
		out := goTool(t, t.TempDir(), env, "go", "mod", "download", "-json", m.path()+"@"+version)
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, line := range []string{
			m.path() + " " + version + " " + got.Sum + "\n", m.path() + " " + version + "/go.mod " + got.GoModSum + "\n",
		} {
			if !strings.Contains(string(sums), line) {
				t.Errorf("cmd/nestsession/go.sum does not have %s", line)
			}
		}
	}
}

func useLibrary(t *testing.T, root, proxy string) {
	cache := emptyCache(t)
	env := []string{"GOWORK=off", "GOFLAGS=-modcacherw -trimpath", "GOSUMDB=off", cache, "GOPROXY=file://" + proxy + "," + others(t)}
	dir := t.TempDir()
	goTool(t, dir, env, "go", "mod", "init", "example.test/app")
	imports := "package main\n\nimport (\n\t_ \"" + ours + "/devicebound\"\n\t_ \"" + ours + "/stepup\"\n"
	for _, m := range released(t, root) {
		if slices.Contains([]string{"cmd/nestsession", "internal/servers", "store/storetest/linear"}, m.folder) {
			continue // not imported by an application
		}
		goTool(t, dir, env, "go", "get", m.path()+"@"+version)
		imports += fmt.Sprintf("\t_ %q\n", m.path())
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(readme), "```go\npackage main\n")
	program, _, _ = strings.Cut(program, "```")
	address := freeAddress(t)
	writeFile(t, filepath.Join(dir, "main.go"), "package main\n"+strings.ReplaceAll(program, "127.0.0.1:8080", address))
	writeFile(t, filepath.Join(dir, "imports.go"), imports+")\n")
	goTool(t, dir, env, "go", "mod", "tidy")
	goTool(t, dir, env, "go", "build", "-o", "app", ".")
	goTool(t, dir, env, "go", "vet", ".")

	all := goTool(t, dir, env, "go", "list", "-m", "all")
	for _, path := range []string{ours + "/internal/servers", ours + "/store/storetest/linear", "github.com/anishathalye/porcupine"} {
		if strings.Contains(all, path+" ") {
			t.Errorf("go list -m all has %s:\n%s", path, all)
		}
	}
	_, folder, _ := strings.Cut(cache, "=")
	servers := filepath.Join(folder, "cache/download", ours, "internal/servers")
	if zips, _ := filepath.Glob(filepath.Join(servers, "@v/*.zip")); len(zips) > 0 {
		t.Errorf("the test servers were downloaded: %q", zips)
	}
	logIn(t, filepath.Join(dir, "app"), address)
}

// logIn runs the program in README and logs in to it.
func logIn(t *testing.T, program, address string) {
	server := exec.Command(program)
	server.Env = append(os.Environ(), "SESSION_SECRET=a secret that only this test knows")
	var out bytes.Buffer
	server.Stdout, server.Stderr = &out, &out
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("the program wrote:\n%s", out.String())
		}
	}()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var resp *http.Response
	var err error
	for deadline := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		if resp, err = client.PostForm("http://"+address+"/login", url.Values{"username": {"ada"}}); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	resp.Body.Close()
	r, err := http.NewRequest("GET", "http://"+address+"/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		r.AddCookie(c)
	}
	if resp, err = client.Do(r); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "ada\n" {
		t.Errorf("after the login: %s %q", resp.Status, body)
	}
}

// freeAddress returns a loopback address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func installCommand(t *testing.T, proxy string) {
	bin := t.TempDir()
	env := []string{
		"GOWORK=off", "GOFLAGS=-modcacherw -trimpath", "GOSUMDB=off", emptyCache(t), "GOBIN=" + bin, "GOPROXY=file://" + proxy + "," + others(t),
	}
	goTool(t, t.TempDir(), env, "go", "install", ours+"/cmd/nestsession@"+version)
	out := goTool(t, bin, nil, filepath.Join(bin, "nestsession"), "version")
	if words := strings.Fields(out); !slices.Contains(words, version) {
		t.Errorf("nestsession version: %q", out)
	}
	if out := goTool(t, bin, nil, filepath.Join(bin, "nestsession"), "secret", "new"); len(out) < 40 {
		t.Errorf("nestsession secret new: %q", out)
	}
}
