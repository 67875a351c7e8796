package express_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// The cookie that express-session 1.19.0 sends for this secret and id.
const (
	secret    = "keyboard"
	id        = "Zk3vQh1cT9yUeWm2LrXa0BpDsGnJf7oK"
	sentValue = "s%3AZk3vQh1cT9yUeWm2LrXa0BpDsGnJf7oK.cQwdSXdOrmfYXv8KSRWK2xaL0HjphQ%2B4EKFNo49uFS0"
	setCookie = "connect.sid=" + sentValue + "; Path=/; HttpOnly"
)

// birth is the time at which the tests begin.
var birth = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// app is an application that uses the preset, with a store that tests can read and a
// clock that they can set. All its sessions have the same id.
type app[T any] struct {
	*session.Manager[T]
	kept *memstore.Store
	now  time.Time
}

func newApp[T any](t *testing.T, change func(*session.Config)) *app[T] {
	t.Helper()
	a := &app[T]{now: birth}
	clock := func() time.Time { return a.now }
	a.kept = memstore.New(memstore.Config{Now: clock})
	cfg := express.Config(secret)
	cfg.Store, cfg.Now = a.kept, clock
	cfg.GenID = func(*http.Request) (string, error) { return id, nil }
	cfg.Logger = slog.New(slog.DiscardHandler)
	if change != nil {
		change(&cfg)
	}
	m, err := session.New[T](cfg)
	if err != nil {
		t.Fatal(err)
	}
	a.Manager = m
	t.Cleanup(func() { _ = a.kept.Close() })
	return a
}

// visit is a request to a handler, with the Cookie header given, "" for none.
func (a *app[T]) visit(cookie string, h func(*session.Session[T])) *http.Response {
	r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	a.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[T]) { h(s) })(w, r)
	return w.Result()
}

// put stores a document as express-session does.
func (a *app[T]) put(t *testing.T, text string, expires time.Time) {
	t.Helper()
	if _, err := a.kept.Create(t.Context(), store.Record{ID: id, Data: []byte(text), Expires: expires}); err != nil {
		t.Fatal(err)
	}
}

// record returns the record of the id.
func (a *app[T]) record(t *testing.T) store.Record {
	t.Helper()
	rec, err := a.kept.Load(t.Context(), id)
	if err != nil {
		t.Fatalf("the store has no record under the id that the cookie holds: %v", err)
	}
	return rec
}

func sentCookie() string { return "connect.sid=" + sentValue }

func nothing[T any](*session.Session[T]) {}
