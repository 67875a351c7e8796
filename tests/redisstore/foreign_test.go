package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

const header = "n1:0123456789abcdef:000000000000000:"

// broken are ways to put something under a key that is no session of any layout.
var broken = map[string]func(b rueidis.Builder, key string) rueidis.Completed{
	"empty":   text(""),
	"garbage": text("\x00\xff garbage"),
	"a list": func(b rueidis.Builder, key string) rueidis.Completed {
		return b.Lpush().Key(key).Element("hush").Build()
	},
	"a hash": func(b rueidis.Builder, key string) rueidis.Completed {
		return b.Hset().Key(key).FieldValue().FieldValue("hush", "hush").Build()
	},
	"a set": func(b rueidis.Builder, key string) rueidis.Completed { return b.Sadd().Key(key).Member("hush").Build() },
	"a zset": func(b rueidis.Builder, key string) rueidis.Completed {
		return b.Zadd().Key(key).ScoreMember().ScoreMember(1, "hush").Build()
	},
	"cut":      text("n1:0123456789abcdef:0000"),
	"half":     text(`{"cookie":{"path":"/"},"user":"a`),
	"capitals": text("n1:0123456789ABCDEF:000000000000000:0:{}"),
	"sign":     text("n1:0123456789abcdef:-00000000000001:0:{}"),
	"version":  text("n1:0000000000000000:000000000000000:0:{}"),
	"colon":    text(header + "99999999999999999999:hush"),
	"no colon": text(header + "5"),
	"too few":  text(header + "5:hush"),
}

func text(value string) func(b rueidis.Builder, key string) rueidis.Completed {
	return func(b rueidis.Builder, key string) rueidis.Completed { return b.Set().Key(key).Value(value).Build() }
}

// breakKey replaces what is under a key.
func breakKey(t *testing.T, c rueidis.Client, key string, by func(rueidis.Builder, string) rueidis.Completed) {
	t.Helper()
	for _, cmd := range (rueidis.Commands{c.B().Del().Key(key).Build(), by(c.B(), key)}) {
		if err := c.Do(t.Context(), cmd).Error(); err != nil {
			t.Fatal(err)
		}
	}
}

// What is under a session's key and is none is a record that cannot be decoded: it can be
// replaced in the version that was loaded, and in no other, and deleted; whom nothing else
// concerns sees the others.
func TestForeignValues(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client = connect(t, o)
		var log strings.Builder
		c.Logger = logTo(&log)
		s := newStore(t, c)
		ctx := t.Context()
		mustCreate(t, s, owned("good", "user:1", in(time.Hour)))
		for name, by := range broken {
			for _, owner := range []string{"", "user:2"} {
				key := c.Prefix + "secret-id"
				breakKey(t, c.Client, key, by)
				r, err := s.Load(ctx, "secret-id")
				if err != nil || r.ID != "secret-id" || r.Version == 0 || r.Owner != "" || !c.Express && len(r.Data) > 0 {
					t.Fatalf("%s: Load: %+v, %v; want a record without data", name, r, err)
				}
				wrong := owned("secret-id", owner, in(time.Hour))
				for _, v := range []store.Version{0, 1, r.Version + 1} {
					wrong.Version = v
					if _, err := s.Update(ctx, wrong); !errors.Is(err, store.ErrConflict) {
						t.Errorf("%s: Update of another version: %v, want ErrConflict", name, err)
					}
				}
				if err := s.Touch(ctx, "secret-id", in(2*time.Hour)); err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: Touch: %v", name, err)
				}
				if again, err := s.Load(ctx, "secret-id"); err != nil || again.Version != r.Version {
					t.Errorf("%s: after that Load: %+v, %v; want it as it was", name, again, err)
				}
				for r, err := range s.List(ctx, "") {
					if err != nil || !c.Express && r.ID != "good" {
						t.Errorf("%s: List yields %q, %v", name, r.ID, err)
					}
				}
				wantListed(t, s, "user:1", "good")
				wrong.Version = r.Version
				if _, err := s.Update(ctx, wrong); err != nil {
					t.Errorf("%s: Update of the version that was loaded: %v", name, err)
				}
				if got, err := s.Load(ctx, "secret-id"); err != nil || string(got.Data) != string(wrong.Data) || got.Owner != owner {
					t.Errorf("%s: after Update Load: %+v, %v", name, got, err)
				}

				breakKey(t, c.Client, key, by)
				if r, err = s.Load(ctx, "secret-id"); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Update(ctx, store.Record{ID: "secret-id", Data: []byte("{}"), Expires: in(-time.Second), Version: r.Version}); err != nil {
					t.Errorf("%s: Update to a record that is over: %v", name, err)
				}
				if _, err := s.Load(ctx, "secret-id"); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: after that Load: %v, want ErrNotFound", name, err)
				}

				breakKey(t, c.Client, key, by)
				if err := s.Delete(ctx, "secret-id"); err != nil {
					t.Errorf("%s: Delete: %v", name, err)
				}
				if _, err := s.Load(ctx, "secret-id"); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: after Delete Load: %v, want ErrNotFound", name, err)
				}
			}
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || strings.Contains(got, "hush") || strings.Contains(got, "secret") || !strings.Contains(got, "choose another Config.Prefix") {
			t.Errorf("the log is %q; want one line that says what to do, without id or value", got)
		}
	})
}

// One that is read or updated together with others does not fail them.
func TestForeignValuesTogether(t *testing.T) {
	t.Parallel()
	layouts(t, single(servers.SharedRedis(t)), func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client, c.Logger = connect(t, o), logTo(io.Discard)
		s := newStore(t, c)
		names := make([]string, 0, len(broken))
		for name, by := range broken {
			names = append(names, name)
			breakKey(t, c.Client, c.Prefix+name, by)
			mustCreate(t, s, owned("good "+name, "user:1", in(time.Hour)))
		}
		var all sync.WaitGroup
		for i := range 400 {
			all.Go(func() {
				name := names[i%len(names)]
				r, err := s.Load(t.Context(), name)
				if err != nil || r.Version == 0 {
					t.Errorf("%s: Load: %v", name, err)
				}
				if r, err = s.Load(t.Context(), "good "+name); err != nil || len(r.Data) == 0 {
					t.Errorf("the session beside %s: Load: %v", name, err)
				}
				if _, err := s.Update(t.Context(), r); err != nil && !errors.Is(err, store.ErrConflict) {
					t.Errorf("the session beside %s: Update: %v", name, err)
				}
				r.ID, r.Version = name, 1
				if _, err := s.Update(t.Context(), r); !errors.Is(err, store.ErrConflict) {
					t.Errorf("%s: Update of another version: %v, want ErrConflict", name, err)
				}
			})
		}
		all.Wait()
	})
}

// Whose session's record is broken has a new session and can log in, which removes the
// record; the application learns of it.
func TestForeignValuesLetLogIn(t *testing.T) {
	t.Parallel()
	layouts(t, single(servers.SharedRedis(t)), func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client, c.Logger = connect(t, o), logTo(io.Discard)
		s := newStore(t, c)
		for name, by := range broken {
			var events []string
			m, err := session.New[account](session.Config{
				Store: s, Secrets: []string{"a secret of thirty-two characters"}, Express: session.ExpressOptions{Rules: c.Express}, Logger: c.Logger,
				Cookie: session.Cookie{Secure: session.Insecure},
				OnEvent: func(_ context.Context, e session.Event) {
					events = append(events, fmt.Sprint(e.Kind, ": ", e.Reason))
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { m.Close() })
			cookies := map[string]*http.Cookie{}
			visit := func(do func(context.Context, *session.Session[account])) int {
				r := httptest.NewRequest(http.MethodGet, "http://shop.test/", nil)
				for _, c := range cookies {
					r.AddCookie(c)
				}
				w := httptest.NewRecorder()
				m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { do(r.Context(), s) })(w, r)
				for _, c := range w.Result().Cookies() {
					cookies[c.Name] = c
				}
				return w.Code
			}
			login := func(ctx context.Context, s *session.Session[account]) {
				if err := s.Regenerate(ctx); err != nil {
					t.Errorf("%s: Regenerate: %v", name, err)
				}
				s.SetOwner("user:ada")
				s.Update(func(a *account) { a.User = "ada" })
			}
			visit(login)
			ids := idsOf(t, s, "")
			if len(ids) != 1 {
				t.Fatalf("%s: there are the sessions %q", name, ids)
			}
			key := c.Prefix + ids[0]
			breakKey(t, c.Client, key, by)
			events = nil
			if status := visit(func(_ context.Context, s *session.Session[account]) {
				if s.Data().User != "" {
					t.Errorf("%s: the visitor is logged in", name)
				}
			}); status != http.StatusOK || fmt.Sprint(events) != "[rejected: undecodable record]" {
				t.Errorf("%s: a visit is answered %d, with the events %q", name, status, events)
			}
			if status := visit(login); status != http.StatusOK {
				t.Errorf("%s: a login is answered %d, %q", name, status, events)
			}
			// Beside express-session it stays, since another program may read it.
			if r, err := s.Load(t.Context(), ids[0]); err == nil && len(r.Data) == 0 && !c.Express {
				t.Errorf("%s: the broken record outlived the login", name)
			}
			visit(func(ctx context.Context, s *session.Session[account]) {
				if s.Data().User != "ada" {
					t.Errorf("%s: after a login nobody is logged in", name)
				}
				if err := s.Destroy(ctx); err != nil {
					t.Error(err)
				}
			})
			c.Client.Do(t.Context(), c.Client.B().Del().Key(key).Build())
			for _, id := range idsOf(t, s, "") { // what stands for ended sessions
				if err := s.Delete(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
