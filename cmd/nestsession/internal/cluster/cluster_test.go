package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func linksFor(t *testing.T, secrets ...string) *links {
	t.Helper()
	l, err := linksOf(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// linked reports whether one node can call another: each side checks the other's certificate.
func linked(t *testing.T, from, to *links) bool {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", to.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, greeting)
	}()
	conn, err := tls.Dial("tcp", ln.Addr().String(), from.tls)
	if err != nil {
		return false
	}
	defer conn.Close()
	text, err := io.ReadAll(conn)
	return err == nil && string(text) == greeting
}

// Nodes with a common secret are linked, in both directions, at each step of a rotation. Others are
// not, and neither is a node without a certificate.
func TestOnlyNodesWithACommonSecretAreLinked(t *testing.T) {
	t.Parallel()
	before, both, after := linksFor(t, "old"), linksFor(t, "new", "old"), linksFor(t, "new")
	for name, c := range map[string]struct {
		a, b *links
		want bool
	}{
		"the same secret": {before, linksFor(t, "old"), true},
		"a new one added": {before, both, true},
		"both have both":  {both, linksFor(t, "new", "old"), true},
		"the old one out": {after, both, true},
		"another secret":  {before, after, false},
	} {
		if linked(t, c.a, c.b) != c.want || linked(t, c.b, c.a) != c.want {
			t.Errorf("%s: linked %v and %v, want %v", name, linked(t, c.a, c.b), linked(t, c.b, c.a), c.want)
		}
	}
	stranger := &links{tlsConfig: tlsConfig{&tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // it attacks
	if linked(t, stranger, before) {
		t.Error("a program without a certificate was accepted")
	}
}

func TestHereIsTheOneAddressOfThisMachine(t *testing.T) {
	t.Parallel()
	for want, nodes := range map[string]string{
		"127.0.0.1:7700": "203.0.113.1:7700,127.0.0.1:7700,203.0.113.2:7700",
		"":               "127.0.0.1:7700,127.0.0.1:7701,203.0.113.2:7700",
	} {
		if got := Here(strings.Split(nodes, ",")); got != want {
			t.Errorf("of %s: %q, want %q", nodes, got, want)
		}
	}
}

// Without the majority every page is 503, and at once when it has been away for long.
func TestMajority(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	m := WatchMajority(func(context.Context) error {
		if down.Load() {
			return errors.New("no majority")
		}
		return nil
	})
	defer m.Close()
	answer := func(code int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	h := m.Handler(answer(http.StatusOK), answer(http.StatusServiceUnavailable))
	get := func(path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	await := func(want int) {
		t.Helper()
		for until := time.Now().Add(time.Minute); get("/login") != want; {
			if time.Now().After(until) {
				t.Fatalf("it does not become %d", want)
			}
		}
	}
	await(http.StatusOK)
	down.Store(true)
	await(http.StatusServiceUnavailable)
	if code := get("/healthz"); code != http.StatusOK {
		t.Errorf("the health is not asked: %d", code)
	}
	down.Store(false)
	await(http.StatusOK)
}

// A node that waits for others finds them when they start, and not a program that listens there.
func TestGather(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "INFO {}\r\n")
			_ = conn.Close()
		}
	}()
	if got := ask(t.Context(), ln.Addr().String(), linksFor(t, "a secret").tls); got != silent {
		t.Errorf("a program without TLS is %v", got)
	}
}
