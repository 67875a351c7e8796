package redisstore_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nestsession/session"
	preset "github.com/nestsession/session/express"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
)

// Ending n sessions of an owner costs n+1 round trips at most: those of the listing, and
// the writes are batched.
func TestRoundTripsOfRevokingAnOwner(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	for name, c := range map[string]redisstore.Config{"native": {}, "express": {Express: true, OwnerOf: session.OwnerOf}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, server.Addr())
			c.Client = connect(t, through(single(server), map[string]*proxy{server.Addr(): p}))
			c.Prefix = newPrefix()
			cfg := session.Config{Secrets: []string{"a secret of this test"}}
			if c.Express {
				cfg = preset.Config(cfg.Secrets...)
			}
			cfg.Store = newStore(t, c)
			m, err := session.New[struct{ N int }](cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = m.Close() })
			for round := range 2 { // at first the server learns the scripts
				const n = 30
				for i := range n {
					r := httptest.NewRequest(http.MethodGet, "https://shop.test/", nil)
					m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[struct{ N int }]) {
						s.SetOwner(fmt.Sprint("user:", round))
						s.Update(func(d *struct{ N int }) { d.N = i + 1 })
					})(httptest.NewRecorder(), r)
				}
				before := p.turns.Load()
				ended, err := m.RevokeOwner(t.Context(), fmt.Sprint("user:", round))
				if ended != n || err != nil {
					t.Fatalf("RevokeOwner: %d, %v", ended, err)
				}
				if turns := p.turns.Load() - before; turns > n+1 {
					t.Errorf("round %d: %d round trips for %d sessions", round, turns, n)
				} else {
					t.Logf("%d round trips for %d sessions", turns, n)
				}
			}
		})
	}
}
