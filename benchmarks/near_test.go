package benchmarks

import (
	"net/http"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
)

// BenchmarkReadNear is a request that looks at who is logged in, out of the store in
// memory and out of a near cache in front of it: what the cache costs where it hits.
func BenchmarkReadNear(b *testing.B) {
	for _, name := range []string{"memstore", "nearcache"} {
		b.Run(name, func(b *testing.B) {
			mem := memstore.New(memstore.Config{MaxSessions: 10_000})
			defer mem.Close()
			var s store.Store = mem
			if name == "nearcache" {
				near, err := nearcache.New(mem, nearcache.Config{MaxStale: time.Hour})
				if err != nil {
					b.Fatal(err)
				}
				defer near.Close()
				s = near
			}
			m, err := session.New[Account](session.Config{
				Secrets: []string{secret},
				Store:   s,
				Cookie:  session.Cookie{MaxAge: 7 * 24 * time.Hour, Secure: session.SecureAuto},
			})
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			c := contender{
				login: m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
					account := newAccount()
					s.Update(func(a *Account) { *a = account })
					w.WriteHeader(http.StatusNoContent)
				}),
				read: m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
					if s.Data().User.ID != 482_113 {
						b.Error("not logged in")
					}
					w.WriteHeader(http.StatusNoContent)
				}),
			}
			serve(b, c.read, c.carry(b))
		})
	}
}
