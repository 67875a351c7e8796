package stores

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// What three nodes do together: of a hundred requests, five change the session, and each
// goes to any node and is about any session.
const (
	nearNodes    = 3
	nearSessions = 2000
	nearWrites   = 5
)

// site are some nodes on a Redis of their own.
type site struct {
	name     string
	server   *servers.Redis
	read     []http.HandlerFunc // of each node
	write    []http.HandlerFunc
	loads    *loads          // of the near caches, if there are any
	requests []*http.Request // about each session
	changes  []*http.Request // the same, to change it
}

func (s *site) add(tb testing.TB, login, read, write http.HandlerFunc) {
	tb.Helper()
	s.read, s.write = append(s.read, read), append(s.write, write)
	for len(s.requests) < nearSessions {
		w := &writer{header: http.Header{}}
		login(w, newRequest(""))
		sent := (&http.Response{Header: w.header}).Cookies()
		if len(sent) != 1 {
			tb.Fatalf("%s: login sent %d cookies", s.name, len(sent))
		}
		r := newRequest(sent[0].Name + "=" + sent[0].Value)
		s.requests = append(s.requests, r)
		s.changes = append(s.changes, r.WithContext(context.WithValue(r.Context(), changing{}, true)))
	}
}

// changing marks the context of requests that change the session.
type changing struct{}

// loads counts what near caches ask the store behind them, apart from what they ask for
// the sake of requests that change the session.
type loads struct{ forReads atomic.Int64 }

// counted is a store behind a near cache.
type counted struct {
	store.Store
	loads *loads
}

func (c counted) Unwrap() store.Store { return c.Store }

func (c counted) Load(ctx context.Context, id string) (store.Record, error) {
	if ctx.Value(changing{}) == nil {
		c.loads.forReads.Add(1)
	}
	return c.Store.Load(ctx, id)
}

// newSites are the contenders.
func newSites(tb testing.TB) []*site {
	tb.Helper()
	var all []*site
	for _, name := range []string{"nest, near cache", "nest", "scs, goredisstore"} {
		s := &site{name: name, server: servers.StartRedis(tb, servers.RedisOptions{})}
		all = append(all, s)
		for range nearNodes {
			switch name {
			case "scs, goredisstore":
				client := redis.NewClient(&redis.Options{Addr: s.server.Addr(), PoolSize: connections})
				tb.Cleanup(func() { client.Close() })
				login, read, write := scsHandlers(goredisstore.New(client))
				s.add(tb, login, read, write)
			case "nest":
				r, err := redisstore.New(tb.Context(), redisstore.Config{Client: newRueidis(tb, s.server.Addr())})
				if err != nil {
					tb.Fatal(err)
				}
				tb.Cleanup(func() { r.Close() })
				login, read, write := nestHandlers(newManager(tb, r))
				s.add(tb, login, read, write)
			default:
				r, err := redisstore.Open(tb.Context(), rueidis.ClientOption{InitAddress: []string{s.server.Addr()}}, redisstore.Config{})
				if err != nil {
					tb.Fatal(err)
				}
				tb.Cleanup(func() { r.Close() })
				if s.loads == nil {
					s.loads = &loads{}
				}
				n, err := nearcache.New(counted{r, s.loads}, nearcache.Config{})
				if err != nil {
					tb.Fatal(err)
				}
				tb.Cleanup(func() { n.Close() })
				login, read, write := nestHandlers(newManager(tb, n))
				s.add(tb, login, read, write)
			}
		}
	}
	return all
}

func newManager(tb testing.TB, s store.Store) *session.Manager[Account] {
	tb.Helper()
	m, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of thirty-two bytes, ok"},
		Store:   s,
		Cookie:  session.Cookie{MaxAge: idle, Secure: session.SecureAuto},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

// scsHandlers are scs's without an idle timeout, the quickest that it has.
func scsHandlers(s scs.Store) (login, read, write http.HandlerFunc) {
	m := scs.New()
	m.Store, m.Codec, m.Lifetime = s, typedCodec{}, lifetime
	handler := func(do func(ctx context.Context) (ok bool)) http.HandlerFunc {
		return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !do(r.Context()) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})).ServeHTTP
	}
	login = handler(func(ctx context.Context) bool {
		account := newAccount()
		m.Put(ctx, "account", &account)
		return m.RenewToken(ctx) == nil
	})
	read = handler(func(ctx context.Context) bool {
		a, ok := m.Get(ctx, "account").(*Account)
		return ok && a.User.ID == 482_113
	})
	write = handler(func(ctx context.Context) bool {
		a, ok := m.Get(ctx, "account").(*Account)
		if ok {
			a.Visits++
			m.Put(ctx, "account", a)
		}
		return ok
	})
	return login, read, write
}
