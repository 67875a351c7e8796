package stores

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// work is what is measured.
type work string

const (
	reading work = "read"
	writing work = "write"
)

// contender is one way to keep sessions.
type contender struct {
	name string
	// serve does the work once for a visitor, on behalf of a caller.
	serve func(w work, caller, visitor int) error
	// uses are the processes that do it.
	uses processes
}

const (
	idle     = 7 * 24 * time.Hour
	lifetime = 30 * 24 * time.Hour
)

// middleware is a contender that serves requests as a service does, but for the
// network between the browser and it.
func middleware(tb testing.TB, name string, login, read, write http.Handler) contender {
	tb.Helper()
	cookies := make([]string, *visitors)
	for i := range cookies {
		w := &writer{header: http.Header{}}
		login.ServeHTTP(w, newRequest(""))
		sent := (&http.Response{Header: w.header}).Cookies()
		if len(sent) != 1 {
			tb.Fatalf("%s: login sent %d cookies", name, len(sent))
		}
		cookies[i] = sent[0].Name + "=" + sent[0].Value
	}
	writers := make([]writer, maxCallers)
	requests := make([]*http.Request, *visitors)
	for i := range writers {
		writers[i].header = http.Header{}
	}
	for i := range requests {
		requests[i] = newRequest(cookies[i])
	}
	return contender{name: name, serve: func(what work, caller, visitor int) error {
		w := &writers[caller]
		clear(w.header)
		w.status = 0
		h := read
		if what == writing {
			h = write
		}
		h.ServeHTTP(w, requests[visitor])
		if w.status != http.StatusNoContent {
			return fmt.Errorf("%s: status %d", name, w.status)
		}
		return nil
	}}
}

func newRequest(cookie string) *http.Request {
	r, err := http.NewRequest("GET", "http://example.com/", nil)
	if err != nil {
		panic(err)
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return r
}

// nest is this library with the store.
func nest(tb testing.TB, name string, s store.Store) contender {
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
	login, read, write := nestHandlers(m)
	return middleware(tb, name, login, read, write)
}

func nestHandlers(m *session.Manager[Account]) (login, read, write http.HandlerFunc) {
	login = m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		account := newAccount()
		if err := s.Regenerate(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.Update(func(a *Account) { *a = account })
		w.WriteHeader(http.StatusNoContent)
	})
	read = m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
		if u := s.Data().User; u == nil || u.ID != 482_113 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	write = m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.Visits++ })
		w.WriteHeader(http.StatusNoContent)
	})
	return login, read, write
}

// withSCS are scs with the store: without an idle timeout, which spares it a write at
// every visit, and with the one that nest has.
func withSCS(tb testing.TB, name string, s scs.Store) []contender {
	tb.Helper()
	return []contender{scsWith(tb, name, s, 0), scsWith(tb, name+", idle timeout", s, idle)}
}

func scsWith(tb testing.TB, name string, s scs.Store, idle time.Duration) contender {
	tb.Helper()
	m := scs.New()
	m.Store = s
	m.Codec = typedCodec{}
	m.Lifetime, m.IdleTimeout = lifetime, idle
	login := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account := newAccount()
		_ = m.RenewToken(r.Context())
		m.Put(r.Context(), "account", &account)
		w.WriteHeader(http.StatusNoContent)
	}))
	read := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok := m.Get(r.Context(), "account").(*Account); !ok || a.User.ID != 482_113 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	write := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := m.Get(r.Context(), "account").(*Account)
		a.Visits++
		m.Put(r.Context(), "account", a)
		w.WriteHeader(http.StatusNoContent)
	}))
	return middleware(tb, name, login, read, write)
}

// documents are what bare stores keep: the account. A write takes the document
// that is not stored, since a database may skip a write that changes nothing.
func documents() (all [2][]byte) {
	for i := range all {
		a := newAccount()
		a.Visits += i
		text, err := json.Marshal(a)
		if err != nil {
			panic(err)
		}
		all[i] = text
	}
	return all
}

func key(visitor int) string { return fmt.Sprintf("%043d", visitor) }

// nestStore is the store without the manager: a load, and an update of the version
// that is kept.
func nestStore(tb testing.TB, name string, s store.Store) contender {
	tb.Helper()
	records, turns, texts := make([]store.Record, *visitors), make([]int, *visitors), documents()
	for i := range records {
		r := store.Record{ID: key(i), Data: texts[0], Expires: time.Now().Add(idle)}
		var err error
		if r.Version, err = s.Create(tb.Context(), r); err != nil {
			tb.Fatal(err)
		}
		records[i] = r
	}
	return contender{name: name, serve: func(what work, _, visitor int) (err error) {
		r := &records[visitor]
		// As the manager, which bounds each.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if what == reading {
			_, err = s.Load(ctx, r.ID)
			return err
		}
		turns[visitor]++
		r.Data = texts[turns[visitor]%2]
		r.Version, err = s.Update(ctx, *r)
		return err
	}}
}

// scsStore is scs's store without its manager: a find, and a commit.
func scsStore(tb testing.TB, name string, s scs.Store) contender {
	tb.Helper()
	expires, turns, texts := time.Now().Add(idle), make([]int, *visitors), documents()
	commit := func(ctx context.Context, visitor int) error {
		turns[visitor]++
		id, data := key(visitor), texts[turns[visitor]%2]
		if c, ok := s.(scs.CtxStore); ok {
			return c.CommitCtx(ctx, id, data, expires)
		}
		return s.Commit(id, data, expires)
	}
	find := func(ctx context.Context, id string) error {
		found, err := false, error(nil)
		if c, ok := s.(scs.CtxStore); ok {
			_, found, err = c.FindCtx(ctx, id)
		} else {
			_, found, err = s.Find(id)
		}
		if err == nil && !found {
			err = errors.New("no such session")
		}
		return err
	}
	for i := range *visitors {
		if err := commit(tb.Context(), i); err != nil {
			tb.Fatal(err)
		}
	}
	return contender{name: name, serve: func(what work, _, visitor int) error {
		if what == reading {
			return find(context.Background(), key(visitor))
		}
		return commit(context.Background(), visitor)
	}}
}
