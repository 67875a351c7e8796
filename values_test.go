package session_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

type bag = session.Session[map[string]any]

func TestValuePutDelete(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[map[string]any](t, session.Config{Store: s})
	n := newManager[map[string]any](t, session.Config{Store: s}) // decodes what m has seen
	b := newBrowser()
	at := time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *bag) {
		session.Put(s, "name", "ada")
		session.Put(s, "count", 3)
		session.Put(s, "big", int64(math.MaxInt64))
		session.Put(s, "half", 0.5)
		session.Put(s, "user", user{Name: "ada", Visits: 1})
		session.Put(s, "at", at)
		session.Put(s, "list", []string{"a", "b"})
		session.Put(s, "none", nil)
		session.Put(s, "gone", true)
		session.Delete(s, "gone")
		session.Delete(s, "never there")
	})
	for _, m := range []*session.Manager[map[string]any]{m, n} {
		res := do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *bag) {
			want(t, s, "name", "ada")
			want(t, s, "count", 3)
			want(t, s, "count", int64(3))
			want(t, s, "count", uint8(3))
			want(t, s, "count", 3.0)
			want(t, s, "big", int64(math.MaxInt64))
			want(t, s, "half", 0.5)
			want(t, s, "user", user{Name: "ada", Visits: 1})
			want(t, s, "at", at)
			if list, ok := session.Value[[]string](s, "list"); !ok || fmt.Sprint(list) != "[a b]" {
				t.Errorf("list: %v %v", list, ok)
			}
			if v, ok := session.Value[any](s, "none"); !ok || v != nil {
				t.Errorf("none: %v %v", v, ok)
			}
			for _, key := range []string{"gone", "never there"} {
				if v, ok := session.Value[any](s, key); ok {
					t.Errorf("%s: %v", key, v)
				}
			}
			wantNone[int](t, s, "name")
			wantNone[string](t, s, "count")
			wantNone[int8](t, s, "big")
			wantNone[int](t, s, "half")
			wantNone[user](t, s, "name")
			// What Value returns belongs to the caller.
			list, _ := session.Value[[]string](s, "list")
			list[0] = "changed"
			u, _ := session.Value[*user](s, "user")
			u.Name = "changed"
			deep, _ := session.Value[map[string]any](s, "user")
			deep["name"] = "changed"
		})
		if res.StatusCode != http.StatusOK {
			t.Errorf("a reader was answered %d", res.StatusCode)
		}
		if got := fmt.Sprint(peek(m, b)["list"], peek(m, b)["user"]); got != "[a b] map[name:ada visits:1]" {
			t.Errorf("a reader changed the session: %s", got)
		}
	}
}

func want[V comparable](t *testing.T, s *bag, key string, v V) {
	t.Helper()
	if got, ok := session.Value[V](s, key); !ok || got != v {
		t.Errorf("%s as a %T: %v %v, want %v", key, v, got, ok, v)
	}
}

func wantNone[V any](t *testing.T, s *bag, key string) {
	t.Helper()
	if got, ok := session.Value[V](s, key); ok {
		t.Errorf("%s as a %T: %v, want none", key, got, got)
	}
}

// What is put in is what it was at that moment, and an update like any other.
func TestPutIsAnUpdate(t *testing.T) {
	t.Parallel()
	m := newManager[map[string]any](t, session.Config{})
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *bag) {
		list := []string{"a"}
		session.Put(s, "list", list)
		list[0] = "changed"
		do(m, b.fork(), func(http.ResponseWriter, *http.Request, *bag) {})
	})
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *bag) {
		session.Put(s, "mine", 1)
		do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, other *bag) { session.Put(other, "theirs", 2) })
	})
	if got := fmt.Sprint(peek(m, b)); got != "map[list:[a] mine:1 theirs:2]" {
		t.Errorf("stored: %s", got)
	}
}

// A value that JSON has no form for fails the save, and says which.
func TestPutOfWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{"channel": make(chan int), "function": func() {}, "not a number": math.NaN(), "infinity": math.Inf(1)} {
		m := newManager[map[string]any](t, session.Config{})
		res := do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, s *bag) {
			session.Put(s, "v", v)
			if err := s.Save(r.Context()); err == nil || !strings.Contains(err.Error(), "cannot be stored") {
				t.Errorf("Save of a %s: %v", name, err)
			}
		})
		wantErrorAlone(t, res, http.StatusInternalServerError)
	}
}

// A handler may put things into the map itself, of types that JSON gives back
// otherwise: every request sees the same, the one that put them in after its save too.
func TestMapDataOfAnyType(t *testing.T) {
	t.Parallel()
	m := newManager[map[string]any](t, session.Config{})
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *bag) {
		s.Update(func(d *map[string]any) {
			(*d)["int"], (*d)["ints"], (*d)["user"], (*d)["ptr"] = 7, []int{1}, user{Name: "ada"}, &user{Name: "bob"}
		})
		if err := s.Save(r.Context()); err != nil {
			t.Fatalf("Save: %v", err)
		}
		const want = "map[int:7 ints:[1] ptr:map[name:bob visits:0] user:map[name:ada visits:0]]"
		if got := fmt.Sprint(s.Data()); got != want {
			t.Errorf("after the save: %s", got)
		}
		if got := fmt.Sprint(peek(m, b)); got != "map[]" {
			t.Errorf("another client sees %s", got)
		}
	})
	if got := fmt.Sprintf("%T %v", peek(m, b)["int"], peek(m, b)["ptr"]); got != "float64 map[name:bob visits:0]" {
		t.Errorf("the next request sees %s", got)
	}
}

// rewrite replaces the document of the only record.
func rewrite(t *testing.T, s *hooked, text string) {
	t.Helper()
	for _, rec := range records(t, s) {
		rec.Data = []byte(text)
		if _, err := s.inner.Update(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
}

func document(t *testing.T, s store.Store) string {
	t.Helper()
	recs := records(t, s)
	if len(recs) != 1 {
		t.Fatalf("%d records", len(recs))
	}
	return string(recs[0].Data)
}

// "Keys that another program wrote and our type does not know survive our save."
func TestKeysOfAnotherProgramSurvive(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "ada")
	const foreign = `"passport":{"user":9007199254740993,"x":[1.0,1e2,"\u00e9"]},"Count":5,"count2":null,"":1`
	rewrite(t, s, `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}, `+foreign+` ,"count":1,"user":{"name":"ada","visits":3,"role":"admin"}}`)
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if got := s.Data(); got.Count != 1 || got.name() != "ada" {
			t.Errorf("read as %+v", got)
		}
		s.Update(func(a *account) { a.Count++; a.Tags = []string{"t"} })
		if err := s.Save(r.Context()); err != nil {
			t.Errorf("Save: %v", err)
		}
		s.Update(func(a *account) { a.Count++ })
	})
	got := document(t, s)
	for _, want := range []string{foreign, `"count":3`, `"tags":["t"]`, `"user":{"name":"ada","visits":3,"role":"admin"}`} {
		if !strings.Contains(got, want) {
			t.Errorf("the document has lost %s:\n%s", want, got)
		}
	}
	// A field that is emptied goes; one of the nested ones takes the whole member along.
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Tags = nil; a.User.Visits++ })
	})
	if got := document(t, s); strings.Contains(got, `"tags"`) || !strings.Contains(got, `"user":{"name":"ada","visits":4}`) || !strings.Contains(got, foreign) {
		t.Errorf("the document is\n%s", got)
	}
	// Renewed, and with a conflict, they survive as well.
	do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
		})
		if err := ses.Renew(r.Context()); err != nil {
			t.Errorf("Renew: %v", err)
		}
	})
	found := false
	for _, rec := range records(t, s) {
		found = found || strings.Contains(string(rec.Data), foreign)
	}
	if !found {
		t.Error("the renewed document has lost another program's keys")
	}
}

// Integers above 2^53, which JavaScript and float64 cannot hold, survive in map data,
// changed or not.
func TestLargeIntegersSurvive(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[map[string]any](t, session.Config{Store: s})
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *bag) { session.Put(s, "k", 1) })
	const numbers = `"id":9007199254740993,"deep":{"ids":[18446744073709551615,-9223372036854775808]},"huge":123456789012345678901234567890`
	rewrite(t, s, `{"cookie":{},`+numbers+`}`)
	for i := range 3 {
		do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *bag) {
			want(t, s, "id", int64(9007199254740993))
			session.Put(s, "k", i)
		})
	}
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *bag) {
		s.Update(func(d *map[string]any) { (*d)["deep"].(map[string]any)["more"] = true })
	})
	got := document(t, s)
	for _, n := range []string{"9007199254740993", "18446744073709551615", "-9223372036854775808", "123456789012345678901234567890"} {
		if !strings.Contains(got, n) {
			t.Errorf("%s is lost: %s", n, got)
		}
	}
}

// The document is express-session's, with our bookkeeping under one key.
func TestTheStoredForm(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := memstore.New(memstore.Config{Now: clk.now})
	m := newManager[account](t, session.Config{Store: s, Now: clk.now, Cookie: session.Cookie{MaxAge: time.Hour}})
	do(m, newBrowser(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.User = &user{Name: "<ada>"} })
		s.SetOwner("user:1")
	})
	got := document(t, s)
	ms := clk.now().UnixMilli()
	got, mac, _ := strings.Cut(got, `,"mac":"`)
	if len(mac) != len(`0123456789012345678901"}}`) {
		t.Errorf("the bookkeeping's seal: %s", mac)
	}
	if want := fmt.Sprintf(`{"cookie":{"originalMaxAge":3600000,"expires":"2026-03-01T13:00:00.000Z","secure":true,"httpOnly":true,"path":"/","sameSite":"lax"},`+
		`"user":{"name":"<ada>","visits":0},"count":0,"__nestsession":{"created":%d,"used":%d,"owner":"user:1"`, ms, ms); got != want {
		t.Errorf("stored:\n%s\nwant\n%s", got, want)
	}
}

// A type that grew, as after a deploy, reads what the older one wrote.
func TestATypeThatGrew(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	type grown struct {
		Count int            `json:"count"`
		Theme string         `json:"theme,omitempty"`
		Extra map[string]int `json:"extra,omitempty"`
	}
	older := newManager[account](t, session.Config{Store: s})
	newer := newManager[grown](t, session.Config{Store: s})
	b := newBrowser()
	login(t, older, b, "ada")
	do(newer, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[grown]) {
		s.Update(func(g *grown) { g.Count++; g.Theme = "dark" })
		if err := s.Save(r.Context()); err != nil && !errors.Is(err, session.ErrRevoked) {
			t.Errorf("Save: %v", err)
		}
	})
	do(older, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
	})
	if a, g := peek(older, b), peek(newer, b); a.name() != "ada" || a.Count != 2 || g.Theme != "dark" || g.Count != 2 {
		t.Errorf("the older reads %+v, the newer %+v", a, g)
	}
}

// The owner, in the document's bookkeeping, is any text.
func TestOwnersOfAnyText(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	n := newManager[account](t, session.Config{Store: s})
	for _, owner := range []string{`a"b`, `a\b`, "a\nb", "é漢🎉", `","successor":"x`, "\x7f", "a\u2028b", " ", "<&>"} {
		b := loginAs(t, m, owner)
		for _, m := range []*session.Manager[account]{m, n} {
			do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				if s.Owner() != owner || s.Data().name() != owner {
					t.Errorf("the owner %q comes back as %q", owner, s.Owner())
				}
			})
			if got := list(t, m, owner); len(got) != 1 || got[0].Owner != owner {
				t.Errorf("the owner %q is listed as %+v", owner, got)
			}
		}
	}
}

// A document of another program, where others write too: laid out as a person would,
// without our bookkeeping, and with an owner that the store has found out.
func TestADocumentOfAnotherProgram(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := memstore.New(memstore.Config{Now: clk.now, SweepInterval: -1})
	b := newBrowser()
	login(t, newManager[account](t, session.Config{Store: s, Now: clk.now}), b, "ada")
	for _, rec := range records(t, s) {
		rec.Data = []byte("\r\n{\n\t\"cookie\": {\r\n\t\t\"path\": \"/\"\n\t},\n\t\"us\\u0065r\" : {\t\"name\":\n\"ada\" },\n\t\"count\"\n:\n7\n}\n")
		rec.Owner = "user:1"
		if _, err := s.Update(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	m := newManager[account](t, session.Config{Store: s, Now: clk.now, AbsoluteTimeout: 3 * time.Hour, IdleTimeout: time.Hour, Express: session.ExpressOptions{Rules: true}})
	infos := list(t, m, "user:1")
	if len(infos) != 1 || infos[0].Owner != "user:1" || !infos[0].Created.IsZero() {
		t.Errorf("listed as %+v", infos)
	}
	visit := func(change bool) (data account) {
		do(m, b, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if data = s.Data(); data.User != nil && s.Owner() != "user:1" {
				t.Errorf("the owner is %q", s.Owner())
			}
			if change {
				storing(w, r, s)
			}
		})
		return data
	}
	if got := visit(true); got.name() != "ada" || got.Count != 7 {
		t.Errorf("read as %+v", got)
	}
	first := clk.now()
	for clk.now().Sub(first) < 3*time.Hour-time.Minute { // its absolute timeout began with our first save
		if got := visit(true); got.name() != "ada" {
			t.Fatalf("gone after %v", clk.now().Sub(first))
		}
		clk.advance(10 * time.Minute)
	}
	if got := visit(false); got.User != nil {
		t.Errorf("after the absolute timeout: %+v", got)
	}
}

// KeepCookie, as express-session has it: what a document says of its cookie counts
// until the session is regenerated.
func TestKeepCookie(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := memstore.New(memstore.Config{Now: clk.now})
	short := newManager[account](t, session.Config{Store: s, Now: clk.now, Cookie: session.Cookie{MaxAge: time.Hour, SameSite: session.SameSiteStrict}})
	for _, keeps := range []bool{true, false} {
		b := newBrowser()
		login(t, short, b, "ada")
		long := newManager[account](t, session.Config{Store: s, Now: clk.now, Express: session.ExpressOptions{KeepCookie: keeps}, Cookie: session.Cookie{MaxAge: 2 * time.Hour}})
		clk.advance(10 * time.Minute)
		inTwoHours := clk.now().Add(2 * time.Hour).UTC().Format(http.TimeFormat)
		want := "__Host-sid=V; Path=/; Max-Age=7200; Expires=" + inTwoHours + "; HttpOnly; Secure; SameSite=Lax"
		if keeps {
			want = "__Host-sid=V; Path=/; Max-Age=3600; Expires=" + clk.now().Add(time.Hour).UTC().Format(http.TimeFormat) + "; HttpOnly; Secure; SameSite=Strict"
		}
		if got := setCookies(do(long, b, storing)); got != want {
			t.Errorf("KeepCookie %v: Set-Cookie: %s", keeps, got)
		}
		if got := setCookies(do(long, b, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			_ = s.Regenerate(r.Context())
			storing(w, r, s)
		})); !strings.Contains(got, inTwoHours) {
			t.Errorf("KeepCookie %v, regenerated: Set-Cookie: %s", keeps, got)
		}
	}
}
