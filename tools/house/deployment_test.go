package main

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTheProgramOnTheDeploymentPageRuns: it answers the health check, refuses requests from other
// sites, and ends without an error on SIGTERM.
func TestTheProgramOnTheDeploymentPageRuns(t *testing.T) {
	t.Parallel()
	var program block
	for _, b := range blocksOf(t, "docs/deployment.md") {
		if strings.Contains(b.text, "func main()") {
			program = b
		}
	}
	dir := scratchModule(t)
	writeFile(t, filepath.Join(dir, "main.go"), program.text)
	goTool(t, dir, "build", "-o", "server", ".")
	address := freeAddress(t)
	server := exec.Command(filepath.Join(dir, "server")) // ends below, by a signal
	server.Env = append(os.Environ(), "SESSION_SECRET=a secret that only this test knows", "LISTEN="+address)
	var out bytes.Buffer
	server.Stdout, server.Stderr = &out, &out
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill() })
	waitForServer(t, address)
	for site, want := range map[string]int{"same-origin": http.StatusMethodNotAllowed, "cross-site": http.StatusForbidden} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Site", site)
		if res, err := http.DefaultClient.Do(r); err != nil || res.StatusCode != want {
			t.Errorf("a POST from %s: %v, %v", site, res, err)
		}
	}
	if res, err := http.Get("http://" + address + "/healthz"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the health check: %v, %v", res, err)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("it ends with %v, and wrote:\n%s", err, out.String())
	}
}
