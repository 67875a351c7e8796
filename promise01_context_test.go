package session_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// "A method that takes ctx does store I/O and can fail; one that does not, cannot."
func TestPromise01_OnlyMethodsThatTakeAContextDoIO(t *testing.T) {
	t.Parallel()
	t.Run("signatures", func(t *testing.T) {
		t.Parallel()
		typ := reflect.TypeFor[*session.Session[account]]()
		ctx, fails := reflect.TypeFor[context.Context](), reflect.TypeFor[error]()
		var io []string
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			if m.Name == "NotifyContext" {
				continue // its context is the parent of the one that it returns
			}
			takes := m.Type.NumIn() > 1 && m.Type.In(1) == ctx
			n := m.Type.NumOut()
			can := n > 0 && m.Type.Out(n-1) == fails
			if takes != can {
				t.Errorf("%s takes a context: %v, returns an error: %v", m.Name, takes, can)
			}
			if takes {
				io = append(io, m.Name)
			}
		}
		if want := []string{"Destroy", "KeepAlive", "Login", "Regenerate", "Reload", "Renew", "Save", "Token"}; !slices.Equal(io, want) {
			t.Errorf("methods with a context: %v, want %v", io, want)
		}
	})
	t.Run("calls", func(t *testing.T) {
		t.Parallel()
		s := newHooked(t)
		m := newManager[account](t, session.Config{Store: s})
		b := newBrowser()
		login(t, m, b, "ada")
		s.calls()
		do(m, b, func(_ http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
			if got := s.calls(); !slices.Equal(got, []string{"load"}) {
				t.Errorf("before the handler the store saw %v, want one load", got)
			}
			s.before = failing() // what cannot fail must not notice
			ses.ID()
			ses.IsNew()
			ses.Data()
			ses.Update(func(a *account) { a.Count++ })
			ses.Touch()
			ses.Owner()
			ses.SetOwner("user:1")
			ses.Created()
			ses.AuthenticatedAt()
			ses.LastUsed()
			ses.Expires()
			ses.Cookie()
			ses.SetCookie(ses.Cookie())
			ses.SetMaxAge(time.Hour)
			ses.Digest()
			ses.Discard()
			if got := s.calls(); got != nil {
				t.Errorf("methods without a context called the store: %v", got)
			}
		})
	})
	t.Run("failures", func(t *testing.T) {
		t.Parallel()
		for name, call := range map[string]func(*session.Session[account], context.Context) error{
			"Save":       (*session.Session[account]).Save,
			"Reload":     (*session.Session[account]).Reload,
			"Renew":      (*session.Session[account]).Renew,
			"Regenerate": (*session.Session[account]).Regenerate,
			"Destroy":    (*session.Session[account]).Destroy,
			"Login":      func(s *session.Session[account], ctx context.Context) error { return s.Login(ctx, "user:1") },
		} {
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s})
			b := newBrowser()
			login(t, m, b, "ada")
			do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
				s.before = failing()
				if err := call(ses, r.Context()); !errors.Is(err, errDown) {
					t.Errorf("%s returned %v with a store that is down", name, err)
				}
			})
		}
	})
}
