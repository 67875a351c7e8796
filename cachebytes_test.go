package session_test

import (
	"fmt"
	"testing"

	"github.com/nestsession/session"
)

// Whatever the limit of the caches, and if it changes while sessions are in use, requests
// read what is stored.
func TestSetCacheBytes(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	var browsers []*browser
	for i := range 50 {
		b := newBrowser()
		login(t, m, b, fmt.Sprint("user ", i))
		browsers = append(browsers, b)
	}
	for _, n := range []int{session.DefaultCacheBytes, 0, -1, 1 << 20, 1, 1 << 30} {
		m.SetCacheBytes(n)
		for range 2 {
			for i, b := range browsers {
				if got, want := whoami(m, b), fmt.Sprint("user ", i); got != want {
					t.Errorf("with %d bytes of cache %q reads %q", n, want, got)
				}
			}
		}
	}
}
