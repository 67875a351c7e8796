package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// counts is the data of a session. Sum is 1+2+…+Count in every session that was stored as a whole.
type counts struct {
	User  string
	Count int
	Sum   int
}

// sessions makes a manager as an application would, over plain HTTP.
func sessions(s store.Store, timeout time.Duration, logger *slog.Logger) (*session.Manager[counts], error) {
	return session.New[counts](session.Config{
		Secrets:     []string{"0123456789abcdef"},
		Cookie:      session.Cookie{Secure: session.Insecure},
		Store:       s,
		StoreLimits: session.StoreLimits{LoadTimeout: timeout, SaveTimeout: timeout},
		Logger:      logger,
	})
}

// routes are the application's: users log in, log out, and count.
func routes(m *session.Manager[counts], timeout time.Duration) http.Handler {
	type request = session.Session[counts]
	tell := func(w io.Writer, s *request) {
		c := s.Data()
		fmt.Fprintf(w, "%s %d %d", c.User, c.Count, c.Sum)
	}
	failed := func(w http.ResponseWriter) { http.Error(w, "the store failed", http.StatusServiceUnavailable) }
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *request) {
		if err := s.Regenerate(r.Context()); err != nil {
			failed(w)
			return
		}
		user := r.FormValue("user")
		s.SetOwner(user)
		s.Update(func(c *counts) { *c = counts{User: user} })
		tell(w, s)
	}))
	mux.HandleFunc("POST /add", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *request) {
		if s.Data().User == "" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		s.Update(func(c *counts) { c.Count++; c.Sum += c.Count })
		tell(w, s)
	}))
	mux.HandleFunc("GET /whoami", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *request) {
		if s.Data().User == "" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		tell(w, s)
	}))
	mux.HandleFunc("POST /logout", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *request) {
		if err := s.Destroy(r.Context()); err != nil {
			failed(w)
		}
	}))
	mux.HandleFunc("POST /everywhere", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout) // it has no deadline of its own
		defer cancel()
		if _, err := m.RevokeOwner(ctx, s.Data().User); err != nil {
			failed(w)
		}
	}))
	mux.HandleFunc("GET /plain", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "plain")
	})
	return m.Handler(mux)
}

// node is one of the application's processes.
type node struct {
	url     string
	maxWait time.Duration // of a whole request, see [maxWait]
	log     *journal      // nil if the node is a process of its own
}

// maxWait is how long anything may take on a busy machine before the test fails as hung.
const maxWait = 2 * time.Minute

// The deadlines of a node for each load and each save.
const (
	hurried   = 2 * time.Second  // for tests that wait for the deadline
	unhurried = 30 * time.Second // for tests in which nothing may hang
)

// newNode starts a node on the store. Its loads and saves end within the timeout.
func newNode(t testing.TB, s store.Store, timeout time.Duration) *node {
	t.Helper()
	n := &node{maxWait: maxWait, log: &journal{}}
	m, err := sessions(s, timeout, slog.New(slog.NewTextHandler(n.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(routes(m, timeout))
	n.url = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := m.Close(); err != nil {
			t.Errorf("closing the manager: %v", err)
		}
		if t.Failed() {
			t.Logf("the end of what the node logged:\n%s", n.log.tail())
		}
	})
	return n
}

// journal is a log in memory.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) tail() string {
	lines := strings.Split(strings.TrimSpace(j.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// until polls the condition, and fails the test if it does not become true in time.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", maxWait, what)
		case <-tick.C:
		}
	}
}
