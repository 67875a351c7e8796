package session_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// noting adds text to the note "test" of the request's session.
func noting(m *session.Manager[account], text string) http.Handler {
	return m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.UpdateNote("test", func(old string) string { return old + text })
	})
}

// noteOf returns the note of the browser's session as another manager reads it.
func noteOf(t *testing.T, m *session.Manager[account], b *browser) string {
	t.Helper()
	var note string
	b.fork().visit(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { note = s.Note("test") }), "/")
	return note
}

func doing(t *testing.T, m *session.Manager[account], do func(context.Context, *session.Session[account]) error) http.Handler {
	return m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := do(r.Context(), s); err != nil {
			t.Error(err)
		}
	})
}

func loggingIn(t *testing.T, m *session.Manager[account], owner string) http.Handler {
	return doing(t, m, func(ctx context.Context, s *session.Session[account]) error { return s.Login(ctx, owner) })
}

func TestNotesLiveAsLongAsTheLogin(t *testing.T) {
	t.Parallel()
	backend := memstore.New(memstore.Config{})
	m, other := newManager[account](t, session.Config{Store: backend}), newManager[account](t, session.Config{Store: backend})
	b := newBrowser()
	b.visit(loggingIn(t, m, "user:1"), "/")
	b.visit(noting(m, `"a" & é;`), "/")
	b.visit(countOne(m), "/")
	if got := noteOf(t, other, b); got != `"a" & é;` {
		t.Errorf("the note is %q", got)
	}
	for info, err := range other.List(t.Context(), "user:1") {
		if err != nil || info.Note("test") != `"a" & é;` || info.Note("another") != "" {
			t.Errorf("in the list the note is %q (%v)", info.Note("test"), err)
		}
	}
	b.visit(doing(t, m, func(ctx context.Context, s *session.Session[account]) error { return s.Renew(ctx) }), "/")
	b.visit(noting(m, "b"), "/")
	if got := noteOf(t, other, b); got != `"a" & é;b` {
		t.Errorf("after Renew the note is %q", got)
	}
	if n, err := other.UpdateOwner(t.Context(), "user:1", func(a *account) { a.Count = 7 }); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := noteOf(t, other, b); got != `"a" & é;b` {
		t.Errorf("after UpdateOwner the note is %q", got)
	}
	for _, owner := range []string{"user:1", "user:2"} {
		b.visit(noting(m, "c"), "/")
		b.visit(loggingIn(t, m, owner), "/")
		if got := noteOf(t, other, b); got != "" {
			t.Errorf("after a login of %s the note is %q", owner, got)
		}
	}
	b.visit(noting(m, "d"), "/")
	b.visit(doing(t, m, func(ctx context.Context, s *session.Session[account]) error {
		err := s.Regenerate(ctx)
		s.Update(func(a *account) { a.Count++ })
		return err
	}), "/")
	if got := noteOf(t, other, b); got != "" {
		t.Errorf("after Regenerate the note is %q", got)
	}
	b.visit(noting(m, "e"), "/")
	b.visit(doing(t, m, func(_ context.Context, s *session.Session[account]) error {
		s.UpdateNote("test", func(string) string { return "" })
		return nil
	}), "/")
	if got := noteOf(t, other, b); got != "" {
		t.Errorf("the removed note is %q", got)
	}
}

// counting adds one to the data.
func countOne(m *session.Manager[account]) http.Handler {
	return m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
	})
}

// Two requests change notes and data of one session at the same time: both changes are kept.
func TestNotesAreReplayed(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	b.visit(loggingIn(t, m, "user:1"), "/")
	b.visit(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.UpdateNote("test", func(old string) string { return old + "a" })
		s.Update(func(a *account) { a.Count++ })
		b.visit(noting(m, "b"), "/")
		b.visit(countOne(m), "/")
	}), "/")
	var count int
	b.visit(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { count = s.Data().Count }), "/")
	if got := noteOf(t, m, b); got != "ba" || count != 2 {
		t.Errorf("the note is %q, the count %d", got, count)
	}
}

// A note of a request that another login has superseded does not reach the new session, and
// the request can see that.
func TestANoteDoesNotFollowALogin(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	b.visit(countOne(m), "/")
	b.visit(m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.UpdateNote("test", func(string) string { return "a" })
		s.Update(func(a *account) { a.Count++ })
		b.visit(loggingIn(t, m, "user:1"), "/")
		if err := s.Save(r.Context()); err != nil || s.Note("test") != "" {
			t.Errorf("the save returns %v, and the note is %q", err, s.Note("test"))
		}
	}), "/")
	if got := noteOf(t, m, b); got != "" {
		t.Errorf("the note is %q", got)
	}
}

func TestAPanicSavesNoNote(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	b.visit(loggingIn(t, m, "user:1"), "/")
	func() {
		defer func() { _ = recover() }()
		b.visit(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.UpdateNote("test", func(string) string { return "a" })
			panic("a mistake")
		}), "/")
	}()
	if got := noteOf(t, m, b); got != "" {
		t.Errorf("the note is %q", got)
	}
}

// guard is a Guard of functions.
type guard struct {
	admit    func(s *session.Session[account]) (time.Time, error)
	loggedIn func(owner string, at time.Time)
}

func (g guard) Admit(_ context.Context, _ *http.Request, s *session.Session[account]) (time.Time, error) {
	return g.admit(s)
}
func (g guard) LoggedIn(h http.Header, owner string, at time.Time) {
	h.Set("X-Login", owner)
	g.loggedIn(owner, at)
}

type ownPage struct{ error }

func (ownPage) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

func TestGuard(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	refused := errors.New("refused")
	var admitErr error
	var logins int
	m.SetGuard(guard{
		admit:    func(s *session.Session[account]) (time.Time, error) { _ = s.Owner(); return time.Time{}, admitErr },
		loggedIn: func(string, time.Time) { logins++ },
	})
	b := newBrowser()
	res := b.visit(loggingIn(t, m, "user:1"), "/")
	if logins != 1 || res.Header.Get("X-Login") != "user:1" {
		t.Errorf("%d logins, header %q", logins, res.Header.Get("X-Login"))
	}
	if res := b.visit(countOne(m), "/"); res.Header.Get("X-Login") != "" || res.StatusCode != 200 {
		t.Error("a request without a login was told to the guard")
	}
	for _, want := range []struct {
		err  error
		code int
	}{{refused, http.StatusInternalServerError}, {ownPage{refused}, http.StatusTeapot}} {
		admitErr = want.err
		for name, h := range map[string]http.Handler{
			"HandlerFunc": countOne(m),
			"From": m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := m.Load(r.Context()); !errors.Is(err, want.err) {
					t.Errorf("Load returns %v", err)
				}
				_, _ = w.Write([]byte("a page"))
			})),
		} {
			if res := b.visit(h, "/"); res.StatusCode != want.code || body(t, res) == "a page" {
				t.Errorf("%s: the status is %d, want %d", name, res.StatusCode, want.code)
			}
		}
		if _, err := m.Open(b.request("GET", "/")); !errors.Is(err, want.err) {
			t.Errorf("Open returns %v", err)
		}
	}
}

// A stream ends when the guard says so, and not before; the session goes on.
func TestAStreamLapses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager[account](t, session.Config{})
		m.SetGuard(guard{
			admit:    func(*session.Session[account]) (time.Time, error) { return time.Now().Add(time.Minute), nil },
			loggedIn: func(string, time.Time) {},
		})
		b := newBrowser()
		b.visit(loggingIn(t, m, "user:1"), "/")
		b.visit(m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			ctx, stop := s.NotifyContext(context.WithoutCancel(r.Context()))
			defer stop()
			time.Sleep(59 * time.Second)
			if synctest.Wait(); ctx.Err() != nil {
				t.Errorf("it has ended early: %v", context.Cause(ctx))
			}
			time.Sleep(time.Second)
			if synctest.Wait(); !errors.Is(context.Cause(ctx), session.ErrLapsed) || errors.Is(context.Cause(ctx), session.ErrRevoked) {
				t.Errorf("the cause is %v", context.Cause(ctx))
			}
			s.UpdateNote("test", func(string) string { return "a" })
		}), "/")
		if noteOf(t, m, b) != "a" {
			t.Error("the session has ended")
		}
	})
}

// The keys for an extension are the same on each node, differ by purpose, secret and scope,
// and follow the order of the secrets.
func TestDerivedKeys(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{Secrets: []string{"the second secret for tests", secret}})
	before := newManager[account](t, session.Config{})
	scoped := newManager[account](t, session.Config{Scope: "another"})
	keys, old := m.DeriveKeys("a"), before.DeriveKeys("a")
	if len(keys) != 2 || len(old) != 1 || string(keys[1]) != string(old[0]) || len(old[0]) != 32 {
		t.Errorf("%d keys, and %d", len(keys), len(old))
	}
	if string(keys[0]) == string(keys[1]) || string(m.DeriveKeys("b")[0]) == string(keys[0]) || string(scoped.DeriveKeys("a")[0]) == string(old[0]) {
		t.Error("keys are equal")
	}
}
