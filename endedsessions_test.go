package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

type profile struct{ User string }

// kept is a manager whose caches and store a test looks into.
func kept(t *testing.T) (*Manager[profile], *memstore.Store) {
	t.Helper()
	s := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = s.Close() })
	m, err := New[profile](Config{Secrets: []string{"only these tests know"}, Store: s, Cookie: Cookie{Secure: SecureAuto}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, s
}

// call serves a request with a Cookie header, "" for none, and returns the next one.
func call(m *Manager[profile], cookie string, h func(*Session[profile])) string {
	r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *Session[profile]) { h(s) })(w, r)
	for _, c := range w.Result().Cookies() {
		return c.Name + "=" + c.Value
	}
	return cookie
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what has finalizers goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Not parallel with the tests whose memory it would count.
func TestEndedSessionsLeaveNothingInMemory(t *testing.T) {
	m, _ := kept(t)
	text := strings.Repeat("x", 6600)
	began := heap()
	for range 60_000 {
		c := call(m, "", func(s *Session[profile]) { s.Update(func(p *profile) { p.User = text }) })
		call(m, c, func(s *Session[profile]) {
			if err := s.Destroy(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
	}
	if grown := int64(heap()) - int64(began); grown > 16<<20 {
		t.Errorf("60,000 ended sessions keep %d MiB", grown>>20)
	}
	runtime.KeepAlive(m)
}

// However a session ends, this node has nothing of it in memory when it knows.
func TestTheCachesForgetEndedSessions(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *Manager[profile], *memstore.Store, string){
		"Destroy": func(t *testing.T, m *Manager[profile], _ *memstore.Store, cookie string) {
			call(m, cookie, func(s *Session[profile]) {
				if err := s.Destroy(t.Context()); err != nil {
					t.Error(err)
				}
			})
		},
		"Regenerate": func(t *testing.T, m *Manager[profile], _ *memstore.Store, cookie string) {
			call(m, cookie, func(s *Session[profile]) {
				if err := s.Regenerate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		},
		"Revoke": func(t *testing.T, m *Manager[profile], _ *memstore.Store, _ string) {
			for info, err := range m.ListAll(t.Context()) {
				if err = errors.Join(err, m.Revoke(t.Context(), info)); err != nil {
					t.Error(err)
				}
			}
		},
		"deleted elsewhere, and asked for": func(t *testing.T, m *Manager[profile], s *memstore.Store, cookie string) {
			for rec := range s.List(t.Context(), "") {
				if err := s.Delete(t.Context(), rec.ID); err != nil {
					t.Error(err)
				}
			}
			call(m, cookie, func(*Session[profile]) {})
		},
		"deleted elsewhere during a save": func(t *testing.T, m *Manager[profile], st *memstore.Store, cookie string) {
			call(m, cookie, func(s *Session[profile]) {
				if err := st.Delete(t.Context(), s.key); err != nil {
					t.Error(err)
				}
				s.Update(func(p *profile) { p.User = "late" })
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, s := kept(t)
			cookie := call(m, "", func(s *Session[profile]) { s.Update(func(p *profile) { p.User = "personal" }) })
			call(m, cookie, func(s *Session[profile]) { _ = s.Data() })
			if documents, cookies := inCaches(m); documents != 1 || cookies != 1 {
				t.Fatalf("the caches have %d documents and %d cookies of a session in use", documents, cookies)
			}
			end(t, m, s, cookie)
			if documents, cookies := inCaches(m); documents != 0 || cookies != 0 {
				t.Errorf("the caches have %d documents and %d cookies of a session that has ended", documents, cookies)
			}
		})
	}
}

func inCaches(m *Manager[profile]) (documents, cookies int) {
	documents, _ = m.codec.Cached()
	cookies, _ = m.cookies.Count()
	return documents, cookies
}

// A listing of all sessions reads each of them once, and caches none.
func TestAListingFillsNoCache(t *testing.T) {
	t.Parallel()
	m, s := kept(t)
	for _, id := range []string{"a", "b", "c"} {
		if _, err := s.Create(t.Context(), store.Record{ID: id, Data: []byte(`{"cookie":{},"text":"x"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, err := range m.ListAll(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if documents, _ := inCaches(m); n != 3 || documents != 0 {
		t.Errorf("a listing of %d sessions left %d documents in the cache", n, documents)
	}
}
