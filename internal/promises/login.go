package promises

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// OldIDReadsNothing is promise 14.
func OldIDReadsNothing(t *testing.T, env Env) {
	// nothing checks that a request with the old id sees nothing of ada's session, whatever it
	// does.
	nothing := func(t *testing.T, r *http.Request, s *current) {
		t.Helper()
		see := func(when string) {
			t.Helper()
			if d := s.Data(); d.User != "" || d.Cart["secret"] != 0 || s.Owner() != "" || !s.AuthenticatedAt().IsZero() {
				t.Errorf("%s the old id sees %+v of %q", when, d, s.Owner())
			}
		}
		see("at first")
		add("planted")(t, nil, r, s)
		err := s.Save(r.Context())
		see("after Save")
		if err == nil {
			s.Update(func(d *data) {
				if d.Cart == nil {
					d.Cart = map[string]int{}
				}
				d.Cart["planted"]++
			})
			_ = s.Save(r.Context())
			see("after another Save")
		}
		if err := s.Reload(r.Context()); !errors.Is(err, session.ErrRevoked) && !errors.Is(err, session.ErrNotSaved) {
			t.Errorf("Reload: %v", err)
		}
		_ = s.Renew(r.Context())
		see("after Renew")
		_ = s.KeepAlive(r.Context())
		ctx, stop := s.NotifyContext(r.Context())
		defer stop()
		if ctx.Err() == nil {
			t.Error("a stream under the old id waits for the end of the new session")
		}
		see("after KeepAlive")
		if err := s.Destroy(r.Context()); err != nil {
			t.Errorf("Destroy: %v", err)
		}
	}
	secret := func(t *testing.T, m *manager, r *http.Request, s *current) {
		login("ada")(t, m, r, s)
		add("secret")(t, m, r, s)
	}
	lives := func(t *testing.T, w *world, b *browser) data {
		t.Helper()
		d, owner := peek(t, w.a, b)
		if d.User != "ada" || owner != "user:ada" || d.Cart["secret"] != 1 {
			t.Errorf("the new session is %+v of %q", d, owner)
		}
		return d
	}
	t.Run("later", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, nil)
		b := newBrowser()
		b.visit(t, w.a, add("first"))
		planted := b.fork()
		b.visit(t, w.a, secret)
		for _, m := range []*manager{w.b, w.a} {
			res := planted.fork().visit(t, m, func(t *testing.T, _ *manager, r *http.Request, s *current) { nothing(t, r, s) })
			if got := sets(res); got != "" {
				t.Errorf("the old id gets a cookie: %s", got)
			}
		}
		if d := lives(t, w, b); d.Cart["planted"] != 0 || d.Cart["first"] != 1 {
			t.Errorf("the old id has written: %+v", d)
		}
		w.advance(session.DefaultRenewGrace) // from then on it is like any unknown id
		planted.visit(t, w.b, add("planted"))
		if d, owner := peek(t, w.a, planted); d.User != "" || owner != "" {
			t.Errorf("after the grace period the old id is %+v of %q", d, owner)
		}
		if d := lives(t, w, b); d.Cart["planted"] != 0 {
			t.Errorf("the old id has written after the grace period: %+v", d)
		}
	})
	t.Run("in flight", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, nil)
		b := newBrowser()
		b.visit(t, w.a, add("first"))
		r := b.request()
		res := send(t, w.b, r, func(t *testing.T, _ *manager, r *http.Request, s *current) {
			s.Data()
			b.visit(t, w.a, secret)
			nothing(t, r, s)
		})
		if got := sets(res); got != "" {
			t.Errorf("the old id gets a cookie: %s", got)
		}
		lives(t, w, b)
	})
	t.Run("behind a renewal", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, nil)
		b := newBrowser()
		b.visit(t, w.a, add("first"))
		older := b.fork()
		b.visit(t, w.b, renew)
		old := b.fork()
		b.visit(t, w.a, secret)
		for _, was := range []*browser{older, old} {
			was.visit(t, w.b, func(t *testing.T, _ *manager, r *http.Request, s *current) { nothing(t, r, s) })
		}
		lives(t, w, b)
	})
}

// LoginKeepsAndDrops checks what a login keeps and what it drops.
func LoginKeepsAndDrops(t *testing.T, env Env) {
	t.Run("six changes at once are kept", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, nil)
		b := newBrowser()
		b.visit(t, w.a, add("first"))
		r := b.request()
		in, out := make(chan bool), make(chan bool)
		for i := range 6 {
			m := []*manager{w.a, w.b}[i%2]
			go func() {
				send(t, m, r.Clone(t.Context()), func(t *testing.T, m *manager, r *http.Request, s *current) {
					s.Data()
					in <- true
					<-out
					add("one of six")(t, m, r, s)
				})
				in <- true
			}()
		}
		for range 6 {
			<-in
		}
		for range 3 { // three are saved before the login, three after
			out <- true
			<-in
		}
		b.visit(t, w.a, login("ada"))
		for range 3 {
			out <- true
			<-in
		}
		if d, owner := peek(t, w.b, b); d.Cart["one of six"] != 6 || d.Cart["first"] != 1 || d.User != "ada" || owner != "user:ada" {
			t.Errorf("after the login: %+v of %q", d, owner)
		}
	})
	t.Run("a second login under the old id", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, nil)
		b := newBrowser()
		b.visit(t, w.a, add("first"))
		cut := b.fork() // the response of its first login is lost
		b.visit(t, w.a, login("ada"))
		cut.visit(t, w.b, login("ada"))
		for _, b := range []*browser{b, cut} {
			if d, owner := peek(t, w.a, b); d.User != "ada" || owner != "user:ada" {
				t.Errorf("logged in as %q, owner %q", d.User, owner)
			}
		}
	})
	t.Run("two logins at once", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, nil)
		b := newBrowser()
		b.visit(t, w.a, add("first"))
		other := b.fork()
		other.visit(t, w.b, func(t *testing.T, m *manager, r *http.Request, s *current) {
			s.Data()
			b.visit(t, w.a, login("ada"))
			login("ada")(t, m, r, s)
		})
		for _, b := range []*browser{b, other} {
			if d, _ := peek(t, w.a, b); d.User != "ada" || d.Cart["first"] != 1 {
				t.Errorf("after both: %+v", d)
			}
		}
	})
	t.Run("a login beside a logout", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, nil)
		b := newBrowser()
		b.visit(t, w.a, login("ada"))
		other := b.fork()
		res := other.visit(t, w.b, func(t *testing.T, m *manager, r *http.Request, s *current) {
			s.Data()
			b.visit(t, w.a, destroy)
			login("ada")(t, m, r, s)
		})
		if d, owner := peek(t, w.a, other); d.User != "ada" || owner != "user:ada" || sets(res) == "" {
			t.Errorf("logged in as %+v of %q", d, owner)
		}
	})
	t.Run("a logout beside a login", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, nil)
		b := newBrowser()
		b.visit(t, w.a, login("ada"))
		r := b.request()
		res := send(t, w.b, r, func(t *testing.T, m *manager, r *http.Request, s *current) {
			s.Data()
			b.visit(t, w.a, login("ada"))
			destroy(t, m, r, s)
		})
		b.receive(r, res)
		if d, _ := peek(t, w.a, b); d.User != "ada" {
			t.Errorf("logged in as %q", d.User)
		}
	})
	t.Run("another owner's data are dropped", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, nil)
		b := newBrowser()
		b.visit(t, w.a, login("ada"))
		b.visit(t, w.a, add("ada's"))
		r := b.request()
		send(t, w.b, r, func(t *testing.T, m *manager, r *http.Request, s *current) {
			s.Data()
			b.visit(t, w.a, login("bob"))
			add("ada's too")(t, m, r, s)
		})
		if d, owner := peek(t, w.b, b); d.User != "bob" || len(d.Cart) != 0 || owner != "user:bob" {
			t.Errorf("bob has %+v of %q", d, owner)
		}
		b.visit(t, w.b, add("bob's"))
		at := w.clock()
		w.advance(time.Hour)
		b.visit(t, w.a, func(t *testing.T, m *manager, r *http.Request, s *current) {
			if !s.AuthenticatedAt().Equal(at) {
				t.Errorf("authenticated at %v, want %v", s.AuthenticatedAt(), at)
			}
			login("bob")(t, m, r, s)
			if !s.AuthenticatedAt().Equal(at.Add(time.Hour)) {
				t.Errorf("authenticated at %v", s.AuthenticatedAt())
			}
		})
		if d, _ := peek(t, w.b, b); d.Cart["bob's"] != 1 {
			t.Errorf("the same owner's data are gone: %+v", d)
		}
	})
}
