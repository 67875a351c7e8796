//go:build !race

package cookie_test

import (
	"testing"
	"time"

	"github.com/nestsession/session/cookie"
)

// Not with the race detector, under which a sync.Pool forgets at random; not
// parallel, for allocations are counted for the whole process.
func TestAllocations(t *testing.T) {
	s := newSigner(t, "new", "old")
	plain := string(s.AppendValue(nil, benchID))
	escaped := string(s.AppendValue(nil, "user/"+benchID))
	forged := plain[:len(plain)-1] + "_"
	lines := []string{"theme=dark; sid=" + plain + "; lang=en", "sid=other"}
	a := &cookie.Attributes{
		Domain: "example.com", Path: "/", Expires: time.Unix(1<<31, 0), HTTPOnly: true, Secure: true,
		Partitioned: true, Priority: cookie.PriorityHigh, SameSite: cookie.SameSiteNone,
	}
	buf := make([]byte, 0, 1024)
	for _, c := range []struct {
		what  string
		limit float64
		fn    func()
	}{
		{"Lookup", 0, func() { cookie.Lookup(lines, "sid") }},
		{"Verify", 0, func() { s.Verify(plain) }},
		{"Verify of an escaped id", 1, func() { s.Verify(escaped) }},
		{"Verify of a forged value", 0, func() { s.Verify(forged) }},
		{"Verify of a foreign value", 0, func() { s.Verify("GA1.1.123") }},
		{"AppendSigned", 0, func() { s.AppendSigned(buf, benchID) }},
		{"AppendValue", 0, func() { s.AppendValue(buf, benchID) }},
		{"Append", 0, func() { cookie.Append(buf, "sid", plain, a) }},
	} {
		if got := testing.AllocsPerRun(1000, c.fn); got > c.limit {
			t.Errorf("%s: %v allocations, at most %v wanted", c.what, got, c.limit)
		}
	}
}
