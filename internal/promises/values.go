package promises

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nestsession/session"
)

// things are data of the kinds that stores and JSON often change or refuse.
type things struct {
	Text   string            `json:"text"`
	Nested map[string][]any  `json:"nested,omitempty"`
	Keys   map[string]string `json:"keys,omitempty"`
	Large  int64             `json:"large,omitempty"`
	Ratio  float64           `json:"ratio,omitempty"`
	At     time.Time         `json:"at,omitzero"`
	Bytes  []byte            `json:"bytes,omitempty"`
	Any    any               `json:"any,omitempty"`
	Raw    json.RawMessage   `json:"raw,omitempty"`
}

// oddTexts are valid texts that one of the stores once lost or refused.
var oddTexts = []string{
	"", " ", "\x00", "a\x00b", "\u2028\u2029", "\ufffd", "\ufeffx", "ä\u0308", "日本語 한국어", "🦆", "\U0010ffff",
	`"\u0000"`, `\`, `'; DROP TABLE sessions; --`, "{table}", "$1 ? :name %s", "</script>", "\r\n\t\b\x7f", strings.Repeat("é", 10_000),
}

// ComesBackOrIsRefused is promise 18.
func ComesBackOrIsRefused(t *testing.T, env Env) {
	managers := func(t *testing.T) (a, b *session.Manager[things], w *world) {
		w = begin(t, env, nil)
		for _, m := range []**session.Manager[things]{&a, &b} {
			cfg := w.cfg
			if env.Node != nil {
				cfg.Store = env.Node(t, w.store)
			}
			n, err := session.New[things](cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = n.Close() })
			*m = n
		}
		return a, b, w
	}
	t.Run("what comes back", func(t *testing.T) {
		t.Parallel()
		a, b, _ := managers(t)
		for _, text := range oddTexts {
			user := newBrowser()
			want := things{
				Text: text, Nested: map[string][]any{text: {text, map[string]any{text: nil}, []any{true, 1.5}}}, Keys: map[string]string{text: text},
				Large: 1 << 53, Ratio: 0.1, At: time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC), Bytes: []byte(text), Any: []any{text},
				Raw: json.RawMessage(`{"a":[1.50,null]}`),
			}
			if !env.Express { // Node has no such numbers: a test in the root package covers them
				want.Large, want.Ratio = math.MaxInt64, math.MaxFloat64
			}
			serve(t, a, user, func(_ *http.Request, s *session.Session[things]) {
				s.Update(func(d *things) { *d = want })
			})
			var got things
			serve(t, b, user, func(_ *http.Request, s *session.Session[things]) { got = s.Data() })
			if len(want.Bytes) == 0 {
				want.Bytes, got.Bytes = nil, nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("stored %.300s\n  came back as %.300s", fmt.Sprintf("%#v", want), fmt.Sprintf("%#v", got))
			}
		}
	})
	t.Run("what is refused", func(t *testing.T) {
		t.Parallel()
		a, b, w := managers(t)
		for name, change := range map[string]func(*things){
			"text that is not UTF-8": func(d *things) { d.Text = "a\xff" },
			"a key that is not":      func(d *things) { d.Keys = map[string]string{"\xc3": "x"} },
			"nested text that isn't": func(d *things) { d.Nested = map[string][]any{"a": {"\x80"}} },
			"no number":              func(d *things) { d.Ratio = math.NaN() },
			"infinity":               func(d *things) { d.Any = math.Inf(1) },
			"a function":             func(d *things) { d.Any = func() {} },
			"a year of five digits":  func(d *things) { d.At = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) },
			"raw text that isn't":    func(d *things) { d.Raw = json.RawMessage(`{`) },
		} {
			known, stranger := newBrowser(), newBrowser()
			serve(t, a, known, func(_ *http.Request, s *session.Session[things]) {
				s.Update(func(d *things) { d.Text = "before" })
			})
			for _, user := range []*browser{known, stranger} {
				had := sessionCookies(user)
				var err error
				code := serve(t, a, user, func(r *http.Request, s *session.Session[things]) {
					s.Update(change)
					err = s.Save(r.Context())
				})
				if !errors.Is(err, session.ErrUnstorable) || code != http.StatusInternalServerError {
					t.Errorf("%s: Save: %v, answered %d", name, err, code)
				}
				if got := sessionCookies(user); got != had {
					t.Errorf("%s: the cookie is %q, was %q", name, got, had)
				}
			}
			serve(t, b, known, func(_ *http.Request, s *session.Session[things]) {
				if got := s.Data().Text; got != "before" {
					t.Errorf("%s: afterwards the session holds %q", name, got)
				}
			})
		}
		if n := len(w.take(session.EventSaveFailed)); n == 0 {
			t.Error("no event reports it")
		}
	})
	t.Run("owners", func(t *testing.T) {
		t.Parallel()
		a, b, _ := managers(t)
		for _, owner := range append(oddTexts[1:], "user:\xff") {
			user := newBrowser()
			var err error
			code := serve(t, a, user, func(r *http.Request, s *session.Session[things]) {
				if err = s.Login(r.Context(), owner); err == nil {
					err = s.Save(r.Context())
				}
			})
			if (code == http.StatusOK) != (err == nil) && utf8.ValidString(owner) {
				t.Errorf("the owner %.40q: %v, and the answer is %d", owner, err, code)
			}
			if err != nil {
				if n := owners(t, b, owner); n != 0 {
					t.Errorf("the owner %.40q is refused (%v), and has %d sessions", owner, err, n)
				}
				continue
			}
			var got string
			serve(t, b, user, func(_ *http.Request, s *session.Session[things]) { got = s.Owner() })
			if n := owners(t, b, owner); got != owner || n != 1 {
				t.Errorf("the owner %.40q came back as %.40q, with %d sessions", owner, got, n)
			}
		}
	})
}

func owners(t *testing.T, m *session.Manager[things], owner string) (n int) {
	for info, err := range m.List(t.Context(), owner) {
		if err != nil {
			return 0 // a name that the store cannot hold has no sessions
		}
		if info.Owner == owner {
			n++
		}
	}
	return n
}

// PanicSavesNothing is promise 19.
func PanicSavesNothing(t *testing.T, env Env) {
	for name, chain := range map[string]func(own func(http.Handler) http.Handler, h http.Handler) http.Handler{
		"recovered outside": func(own func(http.Handler) http.Handler, h http.Handler) http.Handler { return recovered(own(h)) },
		"recovered inside":  func(own func(http.Handler) http.Handler, h http.Handler) http.Handler { return own(recovered(h)) },
	} {
		for what, code := range map[string]int{"panics": http.StatusInternalServerError, "answers 500": http.StatusInternalServerError, "answers 200": http.StatusOK} {
			t.Run(name+", a handler that "+what, func(t *testing.T) {
				t.Parallel()
				w := begin(t, env, nil)
				b := newBrowser()
				b.visit(t, w.a, login("ada"))
				h := chain(w.a.Handler, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					s, err := w.a.Load(r.Context())
					if err != nil {
						t.Error(err)
						return
					}
					s.Update(func(d *data) { d.User = "changed" })
					s.SetOwner("user:changed")
					if what == "panics" {
						panic("oops")
					}
					rw.WriteHeader(code)
				}))
				rec := httptest.NewRecorder()
				r := b.request()
				h.ServeHTTP(rec, r)
				b.receive(r, rec.Result())
				if rec.Code != code {
					t.Errorf("answered %d, want %d", rec.Code, code)
				}
				want := "changed"
				if what == "panics" {
					want = "ada"
					if text, _ := io.ReadAll(rec.Body); !strings.Contains(string(text), "sorry") {
						t.Errorf("the recoverer's page is %q", text)
					}
				}
				if d, owner := peek(t, w.b, b); d.User != want || owner != "user:"+want {
					t.Errorf("afterwards %q of %q, want %q", d.User, owner, want)
				}
			})
		}
	}
}

func recovered(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				http.Error(w, "sorry", http.StatusInternalServerError)
			}
		}()
		h.ServeHTTP(w, r)
	})
}

// serve answers a browser's request by a manager of things.
func serve(t *testing.T, m *session.Manager[things], b *browser, do func(*http.Request, *session.Session[things])) int {
	t.Helper()
	rec, r := httptest.NewRecorder(), b.request()
	m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[things]) { do(r, s) })(rec, r)
	b.receive(r, rec.Result())
	return rec.Code
}

// sessionCookies is what the browser would send.
func sessionCookies(b *browser) string {
	return strings.Join(b.request().Header.Values("Cookie"), "; ")
}
