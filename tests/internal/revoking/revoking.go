// Package revoking has what tests of several stores do with the sessions of one owner.
package revoking

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nestsession/session"
)

// Data are the data of the sessions.
type Data struct{ N int }

// NewManager returns a manager, which is closed when the test ends.
func NewManager(t *testing.T, cfg session.Config) *session.Manager[Data] {
	t.Helper()
	m, err := session.New[Data](cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// RoundTrips stores n sessions of an owner, ends them by RevokeOwner, and returns how many round
// trips the end took. trips returns the number of round trips so far.
func RoundTrips(t *testing.T, m *session.Manager[Data], owner string, n int, trips func() int64) int64 {
	t.Helper()
	for i := range n {
		r := httptest.NewRequest(http.MethodGet, "https://shop.test/", nil)
		m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[Data]) {
			s.SetOwner(owner)
			s.Update(func(d *Data) { d.N = i + 1 })
		})(httptest.NewRecorder(), r)
	}
	before := trips()
	ended, err := m.RevokeOwner(t.Context(), owner)
	if ended != n || err != nil {
		t.Fatalf("RevokeOwner: %d, %v", ended, err)
	}
	took := trips() - before
	t.Logf("%d round trips for %d sessions", took, n)
	return took
}

// WantFewRoundTrips ends the sessions of two owners, and fails if the second end took more than one
// round trip for each session and one for the listing. In the first the store learns its statements.
func WantFewRoundTrips(t *testing.T, m *session.Manager[Data], trips func() int64) {
	t.Helper()
	const n = 30
	RoundTrips(t, m, "user:0", n, trips)
	if took := RoundTrips(t, m, "user:1", n, trips); took > n+1 {
		t.Errorf("%d round trips for %d sessions", took, n)
	}
}
