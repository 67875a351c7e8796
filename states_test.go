package session_test

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
)

// TestTableOfStates: the table in request.go is what happens: what each call returns in
// each state, and which state it leaves.
func TestTableOfStates(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	type current = session.Session[account]
	states := []struct {
		name string
		get  func(h *hooked, s *current)
	}{
		{"new", func(*hooked, *current) {}},
		{"stored", func(_ *hooked, s *current) { _ = s.Save(ctx) }},
		{"ending", func(h *hooked, s *current) {
			_ = s.Save(ctx)
			h.before = failing()
			_ = s.Destroy(ctx)
			h.before = nil
		}},
		{"ended", func(_ *hooked, s *current) {
			_ = s.Save(ctx)
			_ = s.Destroy(ctx)
		}},
		{"discarded", func(_ *hooked, s *current) { s.Discard() }},
	}
	calls := []struct {
		name string
		do   func(s *current) error
	}{
		{"Save", func(s *current) error { return s.Save(ctx) }},
		{"Reload", func(s *current) error { return s.Reload(ctx) }},
		{"Renew", func(s *current) error { return s.Renew(ctx) }},
		{"Login", func(s *current) error { return s.Login(ctx, "user:1") }},
		{"Regenerate", func(s *current) error { return s.Regenerate(ctx) }},
		{"Destroy", func(s *current) error { return s.Destroy(ctx) }},
	}
	text, err := os.ReadFile("request.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		m := regexp.MustCompile(`(?m)^//\t` + c.name + ` {2,}(.*)$`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("request.go has no row on %s", c.name)
		}
		cells := regexp.MustCompile(` {2,}`).Split(string(m[1]), -1)
		if len(cells) != len(states) {
			t.Fatalf("the row on %s has %d cells: %q", c.name, len(cells), cells)
		}
		for i, st := range states {
			t.Run(c.name+"/"+st.name, func(t *testing.T) {
				h := newHooked(t)
				m := newManager[account](t, session.Config{Store: h})
				do(m, newBrowser(), func(_ http.ResponseWriter, _ *http.Request, s *current) {
					st.get(h, s)
					err := c.do(s)
					got := "nil"
					for name, known := range map[string]error{"ErrRevoked": session.ErrRevoked, "ErrNotSaved": session.ErrNotSaved} {
						if errors.Is(err, known) {
							got = name
						}
					}
					if err != nil && got == "nil" {
						got = err.Error()
					}
					state := session.StateOf(s)
					want, after := strings.TrimRight(cells[i], " ¹²³"), st.name
					if _, to, changes := strings.Cut(want, "→ "); changes {
						want, after = "nil", to
					}
					if got != want || state != after {
						t.Errorf("the table says %q, from %s; it returned %s, and is %s", cells[i], st.name, got, state)
					}
				})
			})
		}
	}
	t.Run("Reload/new, under Config.Express.Rules", func(t *testing.T) {
		m := newManager[account](t, express.Config(secret))
		do(m, newBrowser(), func(_ http.ResponseWriter, _ *http.Request, s *current) {
			if err := s.Reload(ctx); !errors.Is(err, session.ErrRevoked) || session.StateOf(s) != "new" {
				t.Errorf("Reload: %v, and the session is %s", err, session.StateOf(s))
			}
		})
	})
}
