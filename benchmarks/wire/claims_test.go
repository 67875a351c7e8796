package wire_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
)

// userOf returns the user of a request, 0 if nobody is logged in.
func userOf(m *session.Manager[Account], pair string) (id int) {
	r := httptest.NewRequest(http.MethodGet, "https://example.com/", nil)
	r.Header.Set("Cookie", pair)
	m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
		if u := s.Data().User; u != nil {
			id = u.ID
		}
	}).ServeHTTP(httptest.NewRecorder(), r)
	return id
}

func logOut(t *testing.T, m *session.Manager[Account], pair string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://example.com/logout", nil)
	r.Header.Set("Cookie", pair)
	m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Destroy(r.Context()); err != nil {
			t.Error(err)
		}
	}).ServeHTTP(httptest.NewRecorder(), r)
}

// unwatched is a store that reports no changes, which is the slowest case for a cache.
type unwatched struct{ store.Store }

// TestLogout: a logout takes effect with the next request, and on a node with a cache after
// MaxStale at the latest. A token is accepted until it expires.
func TestLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memstore.New(memstore.Config{})
		t.Cleanup(func() { kept.Close() })
		cache, err := nearcache.New(unwatched{kept}, nearcache.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cache.Close() })
		here, there := newManager(t, session.Config{Store: kept}), newManager(t, session.Config{Store: kept})
		cached := newManager(t, session.Config{Store: cache})
		_, pair := logIn(t, here, accountOf(t, 146))
		for _, m := range []*session.Manager[Account]{here, there, cached} {
			if userOf(m, pair) == 0 {
				t.Fatal("not logged in")
			}
		}
		logOut(t, here, pair)
		if userOf(here, pair) != 0 || userOf(there, pair) != 0 {
			t.Error("the next request is logged in")
		}
		time.Sleep(nearcache.DefaultMaxStale + time.Millisecond)
		if userOf(cached, pair) != 0 {
			t.Error("a node with a cache lets the user in after MaxStale")
		}
	})
	for _, k := range keys(t) {
		token := k.token(t, claims{accountOf(t, 146), until(time.Hour)})
		if !k.accepts(token, begin.Add(59*time.Minute)) || k.accepts(token, begin.Add(61*time.Minute)) {
			t.Errorf("a token with %s is not accepted until its expiry", k.method.Alg())
		}
	}
}

// TestLeakedSecret: with the secret of cookies an attacker can sign any id, but no such session is
// stored. With the key of tokens an attacker is any user.
func TestLeakedSecret(t *testing.T) {
	t.Parallel()
	m := newManager(t, session.Config{})
	_, pair := logIn(t, m, accountOf(t, 146))
	signer, err := cookie.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	name := "__Host-sid="
	forged := name + string(signer.AppendValue(nil, "0123456789abcdefghijkl"))
	if userOf(m, pair) == 0 || userOf(m, forged) != 0 {
		t.Error("a forged cookie is logged in, or a real one is not")
	}
	for _, k := range keys(t) {
		admin := claims{Account{User: &User{ID: 1, Name: "Administrator"}}, until(time.Hour)}
		if !k.accepts(k.token(t, admin), begin) {
			t.Errorf("a token that was signed with the key of %s is not accepted", k.method.Alg())
		}
	}
}

// TestMemory: a session as a login leaves it takes less than the page says, also where the store
// cannot keep it outside the heap. What the manager's caches take is limited by itself.
func TestMemory(t *testing.T) {
	const sessions, most = 50_000, 400 // bytes each
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { kept.Close() })
	m := newManager(t, session.Config{Store: kept})
	m.SetCacheBytes(0)
	a := accountOf(t, 146)
	before := heap()
	for range sessions {
		logIn(t, m, a)
	}
	each := (heap() - before) / sessions
	t.Logf("%d bytes of heap for each session", each)
	if each > most {
		t.Errorf("a session takes %d bytes, want at most %d", each, most)
	}
	if err := m.Ping(context.Background()); err != nil {
		t.Error(err) // the manager and its store are in use until here
	}
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
