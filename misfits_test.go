package session_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
)

type (
	numbered struct {
		User   string `json:"user"`
		Visits int    `json:"visits"`
		Cart   []string
		Count  int `json:"count"`
	}
	lettered struct {
		User   string `json:"user"`
		Visits string `json:"visits"`
		Cart   []string
		Count  int `json:"count"`
	}
)

// A change of a field's type is rolled out, and back, while users are active on nodes of
// both kinds: nobody is logged out, and no other member is lost.
func TestATypeThatChangesLogsNobodyOut(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]func() session.Config{
		"native":  func() session.Config { return session.Config{Secrets: []string{secret}} },
		"express": func() session.Config { return express.Config(secret) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			var lines strings.Builder
			old, next := cfg(), cfg()
			old.Store = newHooked(t)
			next.Store, next.OnEvent, next.Logger = old.Store, log.add, slog.New(slog.NewTextHandler(&lines, nil))
			before, after := newManager[numbered](t, old), newManager[lettered](t, next)
			b := newBrowser()
			do(before, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[numbered]) {
				s.Update(func(d *numbered) { *d = numbered{User: "ada", Visits: 1234567, Cart: []string{"x"}} })
			})
			first := b.cookie()
			log.take()
			do(after, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[lettered]) {
				if d := s.Data(); s.IsNew() || d.User != "ada" || d.Visits != "" {
					t.Errorf("the new node sees %+v", d)
				}
				s.Update(func(d *lettered) { d.Cart = append(d.Cart, "y") })
			})
			if got := log.kinds(); got != "member not read: undecodable member" {
				t.Errorf("events: %q", got)
			}
			if got := lines.String(); !strings.Contains(got, "visits") || strings.Contains(got, "1234567") || strings.Count(got, "\n") != 1 {
				t.Errorf("the log has %q", got)
			}
			if d := peek(before, b); d.User != "ada" || d.Visits != 1234567 || len(d.Cart) != 2 {
				t.Errorf("rolled back, the old node sees %+v: the member was not changed", d)
			}
			do(after, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[lettered]) {
				s.Update(func(d *lettered) { d.Visits = "many" })
			})
			do(before, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[numbered]) {
				if d := s.Data(); s.IsNew() || d.User != "ada" || d.Visits != 0 || len(d.Cart) != 2 {
					t.Errorf("after a write of the new node the old one sees %+v", d)
				}
				s.Update(func(d *numbered) { d.Cart = nil })
			})
			if d := peek(after, b); d.User != "ada" || d.Visits != "many" {
				t.Errorf("the new node sees %+v", d)
			}
			if b.cookie() != first {
				t.Error("the user has another session")
			}
		})
	}
}

// One member of Node's that does not fit does not log its user out there.
func TestAMemberOfNodesThatDoesNotFit(t *testing.T) {
	t.Parallel()
	type visits struct {
		Visits int `json:"visits"`
	}
	cfg := express.Config(secret)
	s := newHooked(t)
	cfg.Store = s
	m := newManager[visits](t, cfg)
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[visits]) {
		s.Update(func(v *visits) { v.Visits = 1 })
	})
	for _, rec := range records(t, s) {
		rec.Data = []byte(strings.Replace(string(rec.Data), `"visits":1`, `"passport":{"user":7},"visits":1.5`, 1))
		if _, err := s.inner.Update(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	cookie := b.cookie()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[visits]) {
		if s.IsNew() || s.Data().Visits != 0 {
			t.Errorf("the session is new: %v, %+v", s.IsNew(), s.Data())
		}
		if err := s.Save(r.Context()); err != nil {
			t.Error(err)
		}
	})
	if text := string(records(t, s)[0].Data); b.cookie() != cookie || !strings.Contains(text, `"passport":{"user":7},"visits":1.5`) {
		t.Errorf("the record is %s", text)
	}
}
