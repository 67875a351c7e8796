package session_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cookie"
)

// The ids are 192 bits, unlike each other, and nothing else is in the cookie.
func TestIDsAreRandom(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	signer, err := cookie.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var bits [192]int
	const n = 500
	for range n {
		b := newBrowser()
		var id string
		do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			id = s.ID()
			if s.ID() != id {
				t.Error("the id of a new session changes")
			}
			storing(nil, r, s)
		})
		if got, _, err := signer.Verify(b.cookie()); err != nil || got != id {
			t.Fatalf("the cookie has the id %q (%v), want %q", got, err, id)
		}
		raw, err := base64.RawURLEncoding.DecodeString(id)
		if err != nil || len(raw) != 24 || seen[id] {
			t.Fatalf("id %q, %v, seen before: %v", id, err, seen[id])
		}
		seen[id] = true
		for i := range bits {
			bits[i] += int(raw[i/8] >> (i % 8) & 1)
		}
	}
	for i, ones := range bits {
		if ones < n/4 || ones > 3*n/4 {
			t.Errorf("bit %d is set %d times of %d", i, ones, n)
		}
	}
}

// A generator that fails, or makes what cannot be an id, fails the save: there is no
// weak id in its place (CVE-2025-66630).
func TestAGeneratorThatFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("no randomness left")
	for name, gen := range map[string]func(*http.Request) (string, error){
		"an error":      func(*http.Request) (string, error) { return "an-id-beside-the-error", broken },
		"nothing":       func(*http.Request) (string, error) { return "", nil },
		"too long":      func(*http.Request) (string, error) { return strings.Repeat("x", 4096), nil },
		"invalid UTF-8": func(*http.Request) (string, error) { return "\xff\xfe", nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHooked(t)
			failing := true
			m := newManager[account](t, session.Config{Store: s, GenID: func(r *http.Request) (string, error) {
				if failing {
					return gen(r)
				}
				return fmt.Sprintf("a-good-id-%p", r), nil
			}})
			b := newBrowser()
			res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				storing(nil, r, s)
				err := s.Save(r.Context())
				if err == nil && name != "too long" {
					t.Error("Save succeeded")
				}
				if name == "an error" && !errors.Is(err, broken) {
					t.Errorf("Save: %v", err)
				}
			})
			wantErrorAlone(t, res, http.StatusInternalServerError)
			failing = false
			login(t, m, b, "ada")
			failing = true
			do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				if err := s.Renew(r.Context()); err == nil && name != "too long" {
					t.Error("Renew succeeded")
				}
				s.Discard()
			})
			if name != "too long" {
				if who := whoami(m, b); who != "ada" {
					t.Errorf("logged in as %q", who)
				}
			}
		})
	}
}

// GenID sees the request, so that an application can have ids of its own form.
func TestGenIDSeesTheRequest(t *testing.T) {
	t.Parallel()
	n := 0
	m := newManager[account](t, session.Config{GenID: func(r *http.Request) (string, error) {
		n++
		return fmt.Sprintf("%s/%d é=&;,\"%%", r.URL.Path, n), nil
	}})
	b := newBrowser()
	b.visit(m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		storing(nil, r, s)
		if got := s.ID(); got != "/a/b/1 é=&;,\"%" {
			t.Errorf("the id is %q", got)
		}
	}), "/a/b")
	if got := peek(m, b).Count; got != 1 {
		t.Errorf("with such an id the session is not found again: count %d", got)
	}
}
