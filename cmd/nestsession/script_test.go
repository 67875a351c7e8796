package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nestsession/session/internal/servers"
)

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"nestsession": main})
}

// suite is the tests with the servers that they share.
type suite struct{ *testing.M }

func (s suite) Run() int { return servers.Main(s.M) }

// The command that ends a server is called halt in the scripts, because testscript's own stop
// command skips the rest of a script, which then passes unnoticed.
func TestNoScriptEndsEarly(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %d, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if words := strings.Fields(line); len(words) > 0 && words[0] == "stop" {
				t.Errorf("%s:%d: stop ends the script here: write halt to end the server", file, i+1)
			}
		}
	}
}

// TestScripts runs the files in testdata, a scenario each. Beside testscript's own
// commands they have:
//
//	serve FLAG...   start `nestsession serve` on a free port, which $URL then names
//	hang            send it a request, except for the last byte
//	interrupt       press Ctrl-C, and wait until it lets nobody in any more
//	terminate       the same as a service manager does
//	finish STATUS   send the last byte, and fail unless the answer has that status
//	ended           wait for its end, and fail unless it ends well; what it wrote is in
//	                the files out and err
//	halt            interrupt, and ended
//	crash           end it as a power cut would, with SIGKILL
//	database KIND   have a store of this script's own on a server that the scripts share,
//	                which $REDIS_URL, $POSTGRES_URL or $MYSQL_URL then names (and another
//	                one $OTHER_REDIS_URL); a KIND is redis, postgres or mysql. With _BARE
//	                at the end of its name it is without its password, which is in the
//	                file password and in $PASSWORD
//	own KIND        the same on a server of the script's own, which is named $OWN_URL;
//	                a KIND is also sentinel or cluster
//	down            end that server at once
//	up              start it again
//	loggedout JAR   wait until who has the cookies in that file is answered 401: from the
//	                cache of the server, milliseconds after the session has ended elsewhere
//	perm MODE FILE  fail unless the file has that mode
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			t, ok := e.T().(testing.TB)
			if !ok {
				return fmt.Errorf("a script's %T is no testing.TB", e.T())
			}
			s := &server{t: t}
			e.Values[serverKey{}] = s
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home")) // where ledgers are, among others
			e.Defer(s.clear)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":     serve,
			"hang":      hang,
			"interrupt": func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).signal(ts, os.Interrupt) },
			"terminate": func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).signal(ts, syscall.SIGTERM) },
			"finish":    finish,
			"ended":     func(ts *testscript.TestScript, neg bool, _ []string) { of(ts).ended(ts, neg) },
			"halt": func(ts *testscript.TestScript, _ bool, _ []string) {
				of(ts).signal(ts, os.Interrupt)
				of(ts).ended(ts, false)
			},
			"crash":     func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).crash(ts) },
			"database":  database,
			"own":       own,
			"down":      func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).own.Kill() },
			"up":        func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).own.Restart() },
			"loggedout": loggedOut,
			"perm":      perm,
		},
	})
}

type serverKey struct{}

// server is a script's server.
type server struct {
	process *exec.Cmd
	address string
	exit    chan error // what the process ended with
	request net.Conn   // an incomplete request

	t   testing.TB // of the script
	own restartable
}

func of(ts *testscript.TestScript) *server { return ts.Value(serverKey{}).(*server) }

func serve(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	s.process = exec.Command("nestsession", append([]string{"serve", "--address", "127.0.0.1:0"}, args...)...)
	path, err := lookPath(ts.Getenv("PATH"), "nestsession")
	ts.Check(err)
	s.process.Path, s.process.Err = path, nil
	s.process.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "PATH", "XDG_DATA_HOME", "NESTSESSION_DATA", "NESTSESSION_SECRETS", "NESTSESSION_SECRET_FILE", "NESTSESSION_STORE", "NESTSESSION_STORE_PASSWORD_FILE", "NESTSESSION_USERS", "NESTSESSION_USERS_PASSWORD_FILE", "NESTSESSION_EXPRESS"} {
		if value := ts.Getenv(name); value != "" {
			s.process.Env = append(s.process.Env, name+"="+value)
		}
	}
	errs, err := os.Create(ts.MkAbs("err"))
	ts.Check(err)
	defer errs.Close()
	s.process.Stderr = errs
	pipe, err := s.process.StdoutPipe()
	ts.Check(err)
	ts.Check(s.process.Start())
	out := bufio.NewReader(pipe)
	first, err := out.ReadString('\n')
	for err == nil && !strings.Contains(first, "\n  sessions") { // until its store is open
		var line string
		line, err = out.ReadString('\n')
		first += line
	}
	s.exit = make(chan error, 1)
	go func() {
		rest, _ := io.ReadAll(out)
		_ = os.WriteFile(ts.MkAbs("out"), append([]byte(first), rest...), 0o600)
		s.exit <- s.process.Wait()
	}()
	_, at, found := strings.Cut(first, "http://")
	if err != nil || !found {
		<-s.exit
		ts.Fatalf("the server said %q, and: %s", first, ts.ReadFile("err"))
	}
	s.address = strings.Fields(at)[0]
	ts.Setenv("ADDRESS", s.address)
	ts.Setenv("URL", "http://"+s.address)
}

func lookPath(list, name string) (string, error) {
	for dir := range strings.SplitSeq(list, string(os.PathListSeparator)) {
		if path, err := exec.LookPath(dir + string(os.PathSeparator) + name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not in %s", name, list)
}

const halfRequest = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
	"Content-Length: 25\r\nExpect: 100-continue\r\n\r\nusername=kim&password=12"

func hang(ts *testscript.TestScript, _ bool, _ []string) {
	s := of(ts)
	var err error
	s.request, err = net.Dial("tcp", s.address)
	ts.Check(err)
	_, err = io.WriteString(s.request, halfRequest)
	ts.Check(err)
	// The server requests the body when the handler begins to read it.
	answer, err := http.ReadResponse(bufio.NewReader(s.request), nil)
	ts.Check(err)
	if answer.StatusCode != http.StatusContinue {
		ts.Fatalf("status %d, want 100", answer.StatusCode)
	}
}

func finish(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	_, err := io.WriteString(s.request, "3")
	ts.Check(err)
	answer, err := http.ReadResponse(bufio.NewReader(s.request), nil)
	ts.Check(err)
	if got := fmt.Sprint(answer.StatusCode); got != args[0] {
		ts.Fatalf("status %s, want %s", got, args[0])
	}
}

func (s *server) signal(ts *testscript.TestScript, which os.Signal) {
	ts.Check(s.process.Process.Signal(which))
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for ; ; <-again.C {
		c, err := net.Dial("tcp", s.address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			_ = c.Close()
		}
	}
}

func (s *server) ended(ts *testscript.TestScript, neg bool) {
	err := <-s.exit
	s.process = nil
	if (err != nil) != neg {
		ts.Fatalf("the server ended with %v, and: %s", err, ts.ReadFile("err"))
	}
}

// crash ends the server without any cleanup.
func (s *server) crash(ts *testscript.TestScript) {
	ts.Check(s.process.Process.Kill())
	<-s.exit
	s.process = nil
}

// clear ends what a failed script left running.
func (s *server) clear() {
	if s.request != nil {
		_ = s.request.Close()
	}
	if s.process != nil && s.process.Process != nil {
		if err := s.process.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
			<-s.exit
		}
	}
}

// maxWait is how long a slow machine may take for what takes milliseconds.
const maxWait = 2 * time.Minute

func loggedOut(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(maxWait); time.Now().Before(end); {
		ts.Check(ts.Exec("curl", "-sS", "-o", os.DevNull, "-w", "%{http_code}", "-b", ts.MkAbs(args[0]), ts.Getenv("URL")+"/me"))
		if ts.ReadFile("stdout") == "401" {
			return
		}
	}
	ts.Fatalf("%s is still logged in after %v", args[0], maxWait)
}

func perm(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// writeFile writes a file in the script's folder that only its owner can read.
func writeFile(ts *testscript.TestScript, name, text string) {
	ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
}
