package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestProgramsInDocumentsRun runs each whole program in a document. The block of text after
// it is its output.
func TestProgramsInDocumentsRun(t *testing.T) {
	t.Parallel()
	ran := 0
	for _, path := range documents(t) {
		blocks := blocksOf(t, path)
		for i, b := range blocks {
			if !strings.Contains(b.text, "func main()") || strings.Contains(b.text, "ListenAndServe") {
				continue
			}
			ran++
			t.Run(fmt.Sprintf("%s:%d", path, b.line), func(t *testing.T) {
				t.Parallel()
				if i+1 == len(blocks) || blocks[i+1].lang != "text" {
					t.Fatal("a program whose output is not shown; put it into a block of text after it")
				}
				out := runProgram(t, b)
				if want := blocks[i+1].text; out != want {
					t.Errorf("prints\n%s\nand the document says\n%s", out, want)
				}
			})
		}
	}
	if ran == 0 {
		t.Error("no programs found")
	}
}

func runProgram(t *testing.T, b block) string {
	t.Helper()
	dir := scratchModule(t)
	writeFile(t, filepath.Join(dir, "main.go"), b.text)
	return goTool(t, dir, "run", ".")
}

// TestServersInReadmeWork starts the program in each README and logs in to it.
func TestServersInReadmeWork(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"README.md", "README.ko.md"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			for _, b := range blocksOf(t, path) {
				if strings.Contains(b.text, "ListenAndServe") {
					serveAndLogIn(t, b)
					return
				}
			}
			t.Fatal("no server found")
		})
	}
}

const documentedAddress = "127.0.0.1:8080"

func serveAndLogIn(t *testing.T, b block) {
	address := freeAddress(t)
	if !strings.Contains(b.text, documentedAddress) {
		t.Fatalf("the program does not listen on %s", documentedAddress)
	}
	dir := scratchModule(t)
	writeFile(t, filepath.Join(dir, "main.go"), strings.ReplaceAll(b.text, documentedAddress, address))
	goTool(t, dir, "build", "-o", "server", ".")
	server := exec.Command(filepath.Join(dir, "server"))
	server.Env = append(os.Environ(), "SESSION_SECRET=a secret that only this test knows")
	var out bytes.Buffer
	server.Stdout, server.Stderr = &out, &out
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("the server wrote:\n%s", out.String())
		}
	})
	waitForServer(t, address)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	resp, err := client.PostForm("http://"+address+"/login", url.Values{"username": {"ada"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	// The client has followed the redirect to /me.
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/me" || body.String() != "ada\n" {
		t.Errorf("after the login: %s %s %q", resp.Request.URL.Path, resp.Status, body.String())
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

func waitForServer(t *testing.T, address string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(5 * time.Minute)
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("nobody listens on %s", address)
		}
	}
}
