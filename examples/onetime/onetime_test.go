package onetime_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	_ "modernc.org/sqlite"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/internal/browser"
	"github.com/nestsession/session/examples/onetime"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/sqlstore"
)

// onStores runs a test with sessions in memory, and in a file of SQLite's.
func onStores(t *testing.T, test func(*testing.T, *session.Manager[onetime.Account])) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) store.Store{
		"memory": func(t *testing.T) store.Store {
			s := memstore.New(memstore.Config{})
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
		"SQLite": func(t *testing.T) store.Store {
			db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "s.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(60000)")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			s, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db, Dialect: sqlstore.SQLite, Create: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, manager(t, open(t)))
		})
	}
}

func manager(t *testing.T, s store.Store) *session.Manager[onetime.Account] {
	m, err := session.New[onetime.Account](session.Config{
		Secrets: []string{"a secret of this test"}, Store: s, StoreLimits: session.StoreLimits{LoadTimeout: time.Minute, SaveTimeout: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// atOnce sends n requests of one browser that have all loaded the session before any
// goes on, and counts their answers.
func atOnce(m *session.Manager[onetime.Account], b *browser.Browser, n int, path string, h func(http.ResponseWriter, *http.Request, *onetime.Session)) map[string]int {
	var loaded, answered sync.WaitGroup
	loaded.Add(n)
	var mu sync.Mutex
	answers := map[string]int{}
	for range n {
		r := b.Request("GET", path)
		answered.Go(func() {
			w := httptest.NewRecorder()
			m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *onetime.Session) {
				loaded.Done()
				loaded.Wait()
				h(w, r, s)
			})(w, r)
			mu.Lock()
			defer mu.Unlock()
			answers[fmt.Sprint(w.Code, " ", w.Body)]++
		})
	}
	answered.Wait()
	return answers
}

// begin stores a session.
func begin(m *session.Manager[onetime.Account], a onetime.Account) *browser.Browser {
	b := browser.New()
	b.Visit(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *onetime.Session) {
		s.Update(func(into *onetime.Account) { *into = a })
	}), "GET", "/")
	return b
}

func TestAStateLogsInOnce(t *testing.T) {
	onStores(t, func(t *testing.T, m *session.Manager[onetime.Account]) {
		var exchanged atomic.Int64
		o := onetime.OAuth{Authorize: "https://provider.test/authorize", Exchange: func(_ *http.Request, code string) (string, error) {
			exchanged.Add(1)
			return code, nil
		}}
		b := begin(m, onetime.Account{User: "nobody yet"})
		w := httptest.NewRecorder()
		m.HandlerFunc(o.Begin)(w, b.Request("GET", "/login"))
		to, err := w.Result().Location()
		if err != nil {
			t.Fatal(err)
		}
		forged := atOnce(m, b, 2, "/callback?code=mallory&state=made-up", o.Callback)
		if exchanged.Load() != 0 {
			t.Errorf("a state that was made up: %v", forged)
		}
		answers := atOnce(m, b, 20, "/callback?code=ada&state="+to.Query().Get("state"), o.Callback)
		if exchanged.Load() != 1 || answers["200 "] != 1 {
			t.Errorf("%d of 20 logged in: %v", exchanged.Load(), answers)
		}
	})
}

func TestAMessageIsShownOnce(t *testing.T) {
	onStores(t, func(t *testing.T, m *session.Manager[onetime.Account]) {
		b := begin(m, onetime.Account{User: "ada"})
		b.Visit(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *onetime.Session) { onetime.AddFlash(s, "saved") }), "POST", "/save")
		answers := atOnce(m, b, 3, "/page", func(w http.ResponseWriter, r *http.Request, s *onetime.Session) {
			messages, err := onetime.Flashes(r.Context(), s)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprint(w, messages)
		})
		if answers["200 [saved]"] != 1 || answers["200 []"] != 2 {
			t.Errorf("three pages at once: %v", answers)
		}
	})
}

func TestATokenIsRefreshedOnce(t *testing.T) {
	onStores(t, func(t *testing.T, m *session.Manager[onetime.Account]) {
		b := begin(m, onetime.Account{User: "ada", Access: onetime.Access{Token: "old", Refresh: "r1"}})
		var bought atomic.Int64
		refresh := onetime.Refresher(func(_ context.Context, with string) (string, string, time.Time, error) {
			if bought.Add(1) > 1 || with != "r1" {
				t.Errorf("bought with %q, %d times", with, bought.Load())
			}
			return "new", "r2", time.Now().Add(time.Hour), nil
		})
		answers := atOnce(m, b, 10, "/api", func(w http.ResponseWriter, r *http.Request, s *onetime.Session) {
			token, err := refresh.Token(r.Context(), s)
			fmt.Fprint(w, token, err)
		})
		if answers["200 new<nil>"] != 10 {
			t.Errorf("ten requests: %v", answers)
		}
	})
}

// A request that has crashed, or a provider that does not answer, blocks the others until the lease
// is over.
func TestARefreshThatCrashes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, memstore.New(memstore.Config{SweepInterval: -1}))
		b := begin(m, onetime.Account{User: "ada", Access: onetime.Access{Token: "old", Refresh: "r1"}})
		var asked atomic.Int64
		refresh := onetime.Refresher(func(ctx context.Context, _ string) (string, string, time.Time, error) {
			switch asked.Add(1) {
			case 1:
				panic(http.ErrAbortHandler)
			case 2:
				<-ctx.Done()
				return "", "", time.Time{}, ctx.Err()
			}
			return "new", "r2", time.Now().Add(time.Hour), nil
		})
		start := time.Now()
		for i, want := range []struct {
			answers map[string]int
			took    time.Duration
		}{
			{map[string]int{"200 crashed": 1, "200 refreshing the access token: context deadline exceeded": 1, "200 new": 8}, 20 * time.Second},
			{map[string]int{"200 new": 10}, 20 * time.Second},
		} {
			answers := atOnce(m, b, 10, "/api", func(w http.ResponseWriter, r *http.Request, s *onetime.Session) {
				defer func() {
					if recover() != nil {
						fmt.Fprint(w, "crashed")
					}
				}()
				token, err := refresh.Token(r.Context(), s)
				if err != nil {
					token = err.Error()
				}
				fmt.Fprint(w, token)
			})
			if fmt.Sprint(answers) != fmt.Sprint(want.answers) || time.Since(start) > want.took {
				t.Errorf("%d: after %v: %v", i, time.Since(start), answers)
			}
		}
	})
}

// A request that waits for another's refresh ends when its client goes away.
func TestWaitingForARefreshEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, memstore.New(memstore.Config{SweepInterval: -1}))
		b := begin(m, onetime.Account{Access: onetime.Access{Token: "old", Refresh: "r1", Refreshing: time.Now().Add(time.Hour)}})
		atOnce(m, b, 1, "/api", func(_ http.ResponseWriter, r *http.Request, s *onetime.Session) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Second)
			defer cancel()
			if _, err := onetime.Refresher(nil).Token(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Token: %v", err)
			}
		})
	})
}
