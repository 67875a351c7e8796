package session_test

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nestsession/session"
)

// ErrUnrepeatable says the key that differs, the function, and which mistake it is.
func TestUnrepeatableSaysWhatAndWhere(t *testing.T) {
	t.Parallel()
	count := func(a *account) { a.Count++ }
	for name, c := range map[string]struct {
		change func(*session.Session[account])
		cause  session.Cause
		key    string
		here   bool // the function is known
	}{
		"the first of two": {func(s *session.Session[account]) {
			n := 0
			s.Update(func(a *account) { n++; a.Tags = []string{"x", strings.Repeat("y", n)} })
			s.Update(count)
		}, session.CauseFunction, "tags[1]", true},
		"the first time only, after a look": {func(s *session.Session[account]) {
			_ = s.Data()
			s.Update(once(func(a *account) { a.User.Name = "bob" }, func(*account) {}))
		}, session.CauseFunction, "user.name", true},
		"outside, with no Update": {func(s *session.Session[account]) { s.Data().Tags[0] = "x" }, session.CauseOutside, "tags[0]", false},
		"outside, before an Update": {func(s *session.Session[account]) {
			s.Data().Keys["admin"] = true
			s.Update(count)
		}, session.CauseOutside, "keys.admin", false},
		"outside, after an Update of the same key": {func(s *session.Session[account]) {
			s.Update(func(a *account) { a.User = &user{Name: "bob"} })
			s.Data().User.Name = "eve"
		}, session.CauseOutside, "user.name", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{})
			b := newBrowser()
			full(t, m, b)
			do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				c.change(s)
				err := s.Save(r.Context())
				var e *session.UnrepeatableError
				if !errors.Is(err, session.ErrUnrepeatable) || !errors.As(err, &e) {
					t.Fatalf("Save: %v", err)
				}
				if e.Cause != c.cause || e.Key != c.key || (e.Line > 0) != c.here || c.here && (!strings.HasSuffix(e.File, "_test.go") || !strings.Contains(e.Error(), e.File)) {
					t.Errorf("the error is %+v: %v", *e, e)
				}
				if !strings.Contains(err.Error(), c.key) || !strings.Contains(err.Error(), string(c.cause)) {
					t.Errorf("the message is %q", err)
				}
			})
		})
	}
}

// A page that sorts what it shows goes out, and a line in the log says what it did.
func TestAPageThatChangesItsViewGoesOut(t *testing.T) {
	t.Parallel()
	var log journal
	var lines strings.Builder
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, OnEvent: log.add, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Tags = []string{"b", "a"} })
	})
	log.take()
	for range 3 {
		res := do(m, b, func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			slices.Sort(s.Data().Tags)
			_, _ = w.Write([]byte(s.Data().Tags[0]))
		})
		if got := log.kinds(); res.StatusCode != http.StatusOK || got != "dropped: data were changed outside Update" {
			t.Errorf("answered %d, events %q", res.StatusCode, got)
		}
	}
	if got := lines.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN") || !strings.Contains(got, "tags[0]") || !strings.Contains(got, "use Update") {
		t.Errorf("the log has %q", got)
	}
	if got := peek(m, b).Tags; !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("stored are %q", got)
	}
}
