package session_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/nestsession/session"
)

// Each thing that happens to a session is told once, with its reason.
func TestEvents(t *testing.T) {
	t.Parallel()
	visit := func(h handler) func(*testing.T, *session.Manager[account], *hooked, *browser) {
		return func(_ *testing.T, m *session.Manager[account], _ *hooked, b *browser) { do(m, b, h) }
	}
	for name, c := range map[string]struct {
		does func(*testing.T, *session.Manager[account], *hooked, *browser)
		want string
	}{
		"a visit":       {visit(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { _ = s.Data() }), ""},
		"a change":      {visit(storing), ""},
		"a new session": {func(_ *testing.T, m *session.Manager[account], _ *hooked, _ *browser) { do(m, newBrowser(), storing) }, "created"},
		"an empty visit": {func(_ *testing.T, m *session.Manager[account], _ *hooked, _ *browser) {
			do(m, newBrowser(), func(http.ResponseWriter, *http.Request, *session.Session[account]) {})
		}, ""},
		"Save of a new": {func(_ *testing.T, m *session.Manager[account], _ *hooked, _ *browser) {
			do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Save(r.Context()) })
		}, "created"},
		"Renew": {visit(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) }), "renewed"},
		"Regenerate": {visit(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			_ = s.Regenerate(r.Context())
		}), "regenerated"},
		"login":   {func(t *testing.T, m *session.Manager[account], _ *hooked, b *browser) { login(t, m, b, "bob") }, "regenerated, created"},
		"Destroy": {visit(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) }), "destroyed"},
		"Revoke":  {func(t *testing.T, m *session.Manager[account], _ *hooked, b *browser) { endings["Revoke"](t, m, b) }, "revoked"},
		"a dead cookie": {func(t *testing.T, m *session.Manager[account], _ *hooked, b *browser) {
			endings["Revoke"](t, m, b)
			whoami(m, b)
		}, "revoked, rejected: unknown id"},
		"conflict":        {visit2(storing, storing), "conflict"},
		"dropped":         {visit2(storing, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) }), "destroyed, dropped: session has ended"},
		"nothing dropped": {visit2(func(http.ResponseWriter, *http.Request, *session.Session[account]) {}, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) }), "destroyed"},
		"renewed meanwhile": {visit2(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) },
			func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) }), "renewed"},
		"Destroy failed": {func(_ *testing.T, m *session.Manager[account], s *hooked, b *browser) {
			do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
				s.before = failing("update")
				_ = ses.Destroy(r.Context())
				s.before = nil
			})
		}, "save failed, destroyed"},
		"Renew failed": {func(_ *testing.T, m *session.Manager[account], s *hooked, b *browser) {
			do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
				s.before = failing("create")
				_ = ses.Renew(r.Context())
			})
		}, "save failed"},
		"an owner dropped": {visit2(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetOwner("user:1") },
			func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) }), "destroyed, dropped: session has ended"},
		"a cookie dropped": {visit2(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetMaxAge(1e12) },
			func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) }), "destroyed, dropped: session has ended"},
		"a touch is nothing to drop": {visit2(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Touch() },
			func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) }), "destroyed"},
		"load failed": {func(_ *testing.T, m *session.Manager[account], s *hooked, b *browser) {
			s.before = failing()
			whoami(m, b)
		}, "load failed"},
		"save failed": {func(_ *testing.T, m *session.Manager[account], s *hooked, b *browser) {
			s.before = failing("update")
			do(m, b, storing)
		}, "save failed"},
		"Save failed and went through at the end": {func(_ *testing.T, m *session.Manager[account], s *hooked, b *browser) {
			do(m, b, func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
				storing(w, r, ses)
				s.before = failing("update")
				_ = ses.Save(r.Context())
				s.before = nil
			})
		}, "save failed"},
		"touch failed": {func(_ *testing.T, m *session.Manager[account], s *hooked, b *browser) {
			s.before = failing("touch")
			do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Touch() })
		}, "touch failed"},
		"a save that failed after the header": {func(_ *testing.T, m *session.Manager[account], s *hooked, b *browser) {
			do(m, b, func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
				w.WriteHeader(http.StatusOK)
				s.before = failing("update")
				storing(w, r, ses)
			})
		}, "save failed"},
		"not repeatable": {visit(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			n := 0
			s.Update(func(a *account) { n++; a.Count = n })
		}), "save failed"},
		"an old id after its grace": {func(_ *testing.T, m *session.Manager[account], s *hooked, b *browser) {
			old := b.fork()
			do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) })
			whoami(m, old)
		}, "renewed, rejected: unknown id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s, OnEvent: log.add, RenewGrace: -1})
			b := newBrowser()
			login(t, m, b, "ada")
			log.take()
			c.does(t, m, s, b)
			events := log.take()
			log.events = append(log.events, events...)
			if got := log.kinds(); got != c.want {
				t.Errorf("events: %q, want %q", got, c.want)
			}
			for _, e := range events {
				if e.Time.IsZero() || len(e.Digest) != 24 {
					t.Errorf("%s has the time %v and the digest %q", e.Kind, e.Time, e.Digest)
				}
				if failed := strings.HasSuffix(string(e.Kind), "failed"); failed != (e.Err != nil) {
					t.Errorf("%s has the error %v", e.Kind, e.Err)
				}
			}
		})
	}
}

// visit2 lets a request be overtaken by another of the same session.
func visit2(slow, fast handler) func(*testing.T, *session.Manager[account], *hooked, *browser) {
	return func(_ *testing.T, m *session.Manager[account], _ *hooked, b *browser) {
		do(m, b.fork(), func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			do(m, b, fast)
			slow(w, r, s)
		})
	}
}

// What an operator must see is a warning or an error; the rest is at the debug level.
func TestEventsInTheLog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want string // what the log begins with, after the time
		does func(*session.Manager[account], *hooked, *browser)
	}{
		{`level=DEBUG msg="session: created" session=`, func(m *session.Manager[account], _ *hooked, _ *browser) { do(m, newBrowser(), storing) }},
		{`level=DEBUG msg="session: rejected" reason=malformed`, func(m *session.Manager[account], _ *hooked, b *browser) {
			bad := newBrowser()
			bad.cookies[cookieName] = "bad"
			whoami(m, bad)
		}},
		{`level=ERROR msg="session: load failed" session=`, func(m *session.Manager[account], s *hooked, b *browser) { s.before = failing(); whoami(m, b) }},
		{`level=ERROR msg="session: save failed" session=`, func(m *session.Manager[account], s *hooked, b *browser) {
			s.before = failing("update")
			do(m, b, storing)
		}},
		{`level=WARN msg="session: touch failed" session=`, func(m *session.Manager[account], s *hooked, b *browser) {
			s.before = failing("touch")
			do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Touch() })
		}},
		{`level=WARN msg="session: rejected" session=`, func(m *session.Manager[account], s *hooked, b *browser) {
			rewrite(t, s, "not JSON")
			whoami(m, b)
		}},
	} {
		var text bytes.Buffer
		s := newHooked(t)
		m := newManager[account](t, session.Config{Store: s, Logger: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		b := newBrowser()
		login(t, m, b, "ada")
		text.Reset()
		c.does(m, s, b)
		_, got, _ := strings.Cut(strings.TrimSpace(text.String()), " ")
		if !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") > 0 {
			t.Errorf("the log says\n%s\nwant\n%s", got, c.want)
		}
		if strings.Contains(c.want, "ERROR") && !strings.Contains(got, errDown.Error()) {
			t.Errorf("the log does not say why: %s", got)
		}
	}
}

// A log handler or an audit log may ask for the session of the request that it is
// told about, as they do to add the user. They do not find it while it is locked, and
// nobody waits forever.
func TestEventsMayAskForTheSession(t *testing.T) {
	t.Parallel()
	type requestID struct{}
	var m *session.Manager[account]
	asked := 0
	ask := func(ctx context.Context) {
		asked++
		if ctx.Value(requestID{}) != "r1" {
			t.Error("the context has lost the request's values")
		}
		if s, ok := m.From(ctx); ok {
			_ = s.Data()
			t.Error("From found a session that is locked")
		}
	}
	s := newHooked(t)
	m = newManager[account](t, session.Config{
		Store: s, Logger: slog.New(askingHandler{slog.DiscardHandler, ask}),
		OnEvent: func(ctx context.Context, _ session.Event) { ask(ctx) },
	})
	s.before = func(ctx context.Context, _, _ string) error {
		ask(ctx)
		return nil
	}
	b := newBrowser()
	for _, h := range []handler{
		storing,
		func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Touch()
			if err := errors.Join(s.Save(r.Context()), s.Renew(r.Context()), s.Reload(r.Context()), s.Regenerate(r.Context())); err != nil {
				t.Error(err)
			}
			s.Update(func(a *account) { a.Count++ })
		},
		func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) },
	} {
		r := b.request("GET", "/")
		r = r.WithContext(context.WithValue(r.Context(), requestID{}, "r1"))
		b.send(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, ok := m.From(context.WithValue(r.Context(), handlersOwn{}, "anything"))
			if !ok {
				t.Error("no session")
				return
			}
			h(w, r, s)
		})), r)
	}
	if asked < 15 {
		t.Errorf("asked %d times", asked)
	}
}

type handlersOwn struct{}

// askingHandler is a log handler that looks at the context, at every level.
type askingHandler struct {
	slog.Handler
	ask func(context.Context)
}

func (h askingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h askingHandler) Handle(ctx context.Context, _ slog.Record) error {
	h.ask(ctx)
	return nil
}
