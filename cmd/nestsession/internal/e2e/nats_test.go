package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nestsession/session/natsstore/embedded"
)

// natsServer starts a NATS server that other programs connect to, and returns its URL.
func natsServer(t *testing.T) string {
	t.Helper()
	const secret = "a-secret-of-the-server"
	address := ownAddress(t)
	s, err := embedded.Start(t.Context(), embedded.Config{Name: "nats", Folder: t.TempDir(), Clients: address, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return "nats://nest:" + secret + "@" + address
}

// Two servers keep their sessions and their users on a NATS server that is not theirs. One is killed, and
// nobody is logged out.
func TestServersOnNATS(t *testing.T) {
	t.Parallel()
	nats := natsServer(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("a secret of both servers ", 2)), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--users", nats, "--secret-file", secret, "--trusted-proxy", "127.0.0.1"}
	one, at := launchNode(t, t.TempDir(), nats, flags...)
	two, other := launchNode(t, t.TempDir(), nats, flags...)
	t.Cleanup(func() { endNode(t, two) })
	kim, elsewhere := newPerson(t, 1), newPerson(t, 2)
	elsewhere.name = kim.name
	if err := kim.post(at, "/register", http.StatusCreated); err != nil {
		t.Fatal(err)
	}
	if err := status(kim.client, other+"/me", http.StatusOK); err != nil {
		t.Errorf("at the other server: %v", err)
	}
	if err := elsewhere.post(other, "/login", http.StatusOK); err != nil {
		t.Errorf("a login at the other server: %v", err)
	}
	if err := newPerson(t, 1).post(other, "/register", http.StatusConflict); err != nil {
		t.Errorf("the name at the other server: %v", err)
	}
	if err := one.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = one.Wait() // the error is that it was killed
	if err := status(kim.client, other+"/me", http.StatusOK); err != nil {
		t.Errorf("after a server was killed: %v", err)
	}
	again, at := launchNode(t, t.TempDir(), nats, flags...)
	t.Cleanup(func() { endNode(t, again) })
	if err := status(kim.client, at+"/me", http.StatusOK); err != nil {
		t.Errorf("at a server on a new machine: %v", err)
	}
	if err := kim.post(at, "/sessions/logout-others", http.StatusOK); err != nil {
		t.Errorf("logging out everywhere else: %v", err)
	}
	for _, url := range []string{at, other} {
		eventually(t, "the other login has ended", func() error { return status(elsewhere.client, url+"/me", http.StatusUnauthorized) })
		if err := status(kim.client, url+"/me", http.StatusOK); err != nil {
			t.Errorf("who logged out everywhere else: %v", err)
		}
	}
}
