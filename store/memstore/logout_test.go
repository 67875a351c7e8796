package memstore_test

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
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store/memstore"
)

const childPreset = "MEMSTORE_TEST_PRESET"

type visitor struct {
	User string `json:"user,omitempty"`
}

// A server that is killed knows after its restart who has logged out, whichever way, and who
// has not.
func TestLogoutOutlivesAKilledServer(t *testing.T) {
	if file := os.Getenv(childFile); file != "" {
		if err := serveUntilKilled(file, os.Getenv(childPreset)); err != nil {
			fmt.Println(err)
		}
		os.Exit(1)
	}
	t.Parallel()
	for _, preset := range []string{"", "express"} {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "sessions")
			server := startKillable(t, file, preset)
			cookies, after := map[string]string{}, map[string]string{} // by what is done with the session
			for _, how := range []string{"stay", "destroy", "regenerate", "renew", "revoke", "login"} {
				cookies[how] = server.ask(t, "", "/login?user="+how).cookie
			}
			server.ask(t, "", "/snapshot")
			for how, cookie := range cookies {
				if got := server.ask(t, cookie, "/"); got.text != how {
					t.Fatalf("%s: logged in as %q", how, got.text)
				}
				if how != "stay" {
					after[how] = server.ask(t, cookie, "/"+how+"?user="+how).cookie
				}
			}
			late := server.ask(t, "", "/login?user=late").cookie
			server.kill(t)

			server = startKillable(t, file, preset)
			for _, how := range []string{"destroy", "regenerate", "revoke", "login"} {
				if got := server.ask(t, cookies[how], "/"); got.text != "" {
					t.Errorf("%s: the old cookie is that of %q", how, got.text)
				}
			}
			for cookie, want := range map[string]string{
				cookies["stay"]: "stay", after["renew"]: "renew", after["login"]: "login", late: "late",
			} {
				if got := server.ask(t, cookie, "/"); got.text != want {
					t.Errorf("%s: logged in as %q", want, got.text)
				}
			}
			server.kill(t)
		})
	}
}

// serveUntilKilled serves an application whose store is restored from the file. The first line printed
// is its address.
func serveUntilKilled(file, preset string) error {
	kept, err := memstore.Open(file, memstore.Config{})
	if err != nil {
		return err
	}
	cfg := session.Config{Secrets: []string{"a secret of 16 bytes or more"}, Cookie: session.Cookie{Secure: session.Insecure}}
	if preset != "" {
		cfg = express.Config("a secret of 16 bytes or more")
		cfg.Cookie.MaxAge = time.Hour
	}
	cfg.Store = kept
	m, err := session.New[visitor](cfg)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	handle := func(path string, do func(r *http.Request, s *session.Session[visitor]) error) {
		mux.Handle("GET "+path, m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[visitor]) {
			if err := do(r, s); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = io.WriteString(w, s.Data().User)
		}))
	}
	handle("/{$}", func(*http.Request, *session.Session[visitor]) error { return nil })
	handle("/login", func(r *http.Request, s *session.Session[visitor]) error {
		user := r.FormValue("user")
		err := s.Login(r.Context(), user)
		s.Update(func(v *visitor) { v.User = user })
		return err
	})
	handle("/destroy", func(r *http.Request, s *session.Session[visitor]) error { return s.Destroy(r.Context()) })
	handle("/regenerate", func(r *http.Request, s *session.Session[visitor]) error { return s.Regenerate(r.Context()) })
	handle("/renew", func(r *http.Request, s *session.Session[visitor]) error { return s.Renew(r.Context()) })
	handle("/revoke", func(r *http.Request, s *session.Session[visitor]) error {
		n, err := m.RevokeOwner(r.Context(), r.FormValue("user"))
		if n != 1 {
			err = errors.Join(err, fmt.Errorf("%d sessions were revoked", n))
		}
		return err
	})
	mux.HandleFunc("GET /snapshot", func(w http.ResponseWriter, r *http.Request) {
		if err := kept.WriteSnapshot(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, mux)
}

// killable is a server in a process of its own.
type killable struct {
	process *exec.Cmd
	addr    string
}

func startKillable(t *testing.T, file, preset string) killable {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^TestLogoutOutlivesAKilledServer$")
	c.Env = append(os.Environ(), childFile+"="+file, childPreset+"="+preset)
	out, err := c.StdoutPipe()
	if err := errors.Join(err, c.Start()); err != nil {
		t.Fatal(err)
	}
	k := killable{process: c}
	t.Cleanup(func() { _ = c.Process.Kill() })
	if k.addr, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	k.addr = strings.TrimSpace(k.addr)
	return k
}

func (k killable) kill(t *testing.T) {
	t.Helper()
	if err := k.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = k.process.Wait() // killed
}

type answer struct{ text, cookie string }

// ask returns what the server says, and the cookie that it sends.
func (k killable) ask(t *testing.T, cookie, path string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+k.addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", cookie)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v, %v, %s", path, w.Status, err, text)
	}
	a := answer{text: string(text)}
	for _, c := range w.Cookies() {
		a.cookie = c.Name + "=" + c.Value
	}
	return a
}
