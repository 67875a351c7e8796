package session_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// What is left of a session that was ended is no session that expires: its end was told.
func TestEndIsNotToldAgainAsATimeout(t *testing.T) {
	t.Parallel()
	c, told := newClock(), &journal{}
	shared := memstore.New(memstore.Config{Now: c.now, SweepInterval: -1})
	defer shared.Close()
	m := newManager[account](t, session.Config{Store: shared, Now: c.now, RenewGrace: grace, OnEvent: told.add})
	b := newBrowser()
	login(t, m, b, "ada")
	thief := b.fork()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Destroy(r.Context()); err != nil {
			t.Errorf("Destroy: %v", err)
		}
	})
	told.take()
	c.advance(grace + time.Hour)
	peek(m, thief)
	if got := told.kinds(); strings.Contains(got, "expired") {
		t.Errorf("a visit with the cookie of a destroyed session tells %q", got)
	}
}
