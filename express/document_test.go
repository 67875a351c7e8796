package express_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
)

// library is the data of an application on a login library.
type library struct {
	Passport *struct {
		User string `json:"user"`
	} `json:"passport,omitempty"`
	Flash map[string][]string `json:"flash,omitempty"`
	Cart  *cart               `json:"cart,omitempty"`
	A     int                 `json:"a,omitempty"`
}

type cart struct {
	Items []item  `json:"items"`
	Total float64 `json:"total"`
}

type item struct {
	SKU   string  `json:"sku"`
	Qty   int     `json:"qty"`
	Price float64 `json:"price"`
}

// The stored document is byte for byte what express-session 1.19.0 stores for the same
// options and data.
func TestStoresTheSameDocument(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*session.Cookie) // of the preset's
		do     func(*session.Session[library])
		want   string
	}{
		"nested data": {
			func(*session.Cookie) {},
			func(s *session.Session[library]) {
				s.Update(func(l *library) { l.Cart = &cart{[]item{{"a-1", 2, 9.99}}, 19.98} })
			},
			`{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"cart":{"items":[{"sku":"a-1","qty":2,"price":9.99}],"total":19.98}}`,
		},
		"a login library, a day": {
			func(c *session.Cookie) { c.MaxAge = 24 * time.Hour },
			func(s *session.Session[library]) {
				s.Update(func(l *library) {
					l.Passport = &struct {
						User string `json:"user"`
					}{"64b7f0c2"}
					l.Flash = map[string][]string{"error": {"Wrong <password>"}}
				})
			},
			`{"cookie":{"originalMaxAge":86400000,"expires":"2026-01-02T00:00:00.000Z","httpOnly":true,"path":"/"},"passport":{"user":"64b7f0c2"},"flash":{"error":["Wrong <password>"]}}`,
		},
		"a lifetime that the handler changed": {
			func(c *session.Cookie) { c.MaxAge = time.Minute },
			func(s *session.Session[library]) {
				s.SetMaxAge(123456 * time.Millisecond)
				s.Update(func(l *library) { l.A = 1 })
			},
			`{"cookie":{"originalMaxAge":123456,"expires":"2026-01-01T00:02:03.456Z","httpOnly":true,"path":"/"},"a":1}`,
		},
		"expires: false": {
			func(c *session.Cookie) { c.MaxAge = session.UntilClosed },
			func(s *session.Session[library]) { s.Update(func(l *library) { l.A = 1 }) },
			`{"cookie":{"originalMaxAge":false,"expires":false,"httpOnly":true,"path":"/"},"a":1}`,
		},
		"attributes": {
			func(c *session.Cookie) {
				c.MaxAge, c.InsecureScriptAccess, c.SameSite = time.Hour, true, session.SameSiteLax
				c.Domain, c.Priority = "example.com", session.PriorityHigh
			},
			func(s *session.Session[library]) { s.Update(func(l *library) { l.A = 1 }) },
			`{"cookie":{"originalMaxAge":3600000,"priority":"high","expires":"2026-01-01T01:00:00.000Z","httpOnly":false,"domain":"example.com","path":"/","sameSite":"lax"},"a":1}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp[library](t, func(cfg *session.Config) { test.change(&cfg.Cookie) })
			a.visit("", test.do)
			if got := string(a.record(t).Data); got != test.want {
				t.Errorf("the document is\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestStoresTheSameFlatDocument(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, func(cfg *session.Config) { cfg.Cookie.MaxAge = time.Minute })
	a.visit("", func(s *session.Session[account]) {
		s.Update(func(a *account) { a.User, a.Visits = "ann", 3 })
	})
	if got := string(a.record(t).Data); got != annsDocument {
		t.Errorf("the document is\n%s\nwant\n%s", got, annsDocument)
	}
}

// Other members that a Node application has in the session keep their text and place.
func TestKeepsWhatNodeWrote(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, nil)
	a.put(t, `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"passport":{"user":7},"user":"ann","visits":3,"admin":false,"note":null,"big":9007199254740993}`, time.Time{})
	a.visit(sentCookie(), func(s *session.Session[account]) { s.Update(func(a *account) { a.Visits++ }) })
	want := `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"passport":{"user":7},"user":"ann","visits":4,"admin":false,"note":null,"big":9007199254740993}`
	if got := string(a.record(t).Data); got != want {
		t.Errorf("the document is\n%s\nwant\n%s", got, want)
	}
}

// droppedByNode are express-session's members of a session, and the members that every
// ECMAScript object has (ECMA-262 sections 20.1.3 and B.2.2).
var droppedByNode = strings.Fields(`
	cookie req id touch resetMaxAge save reload destroy regenerate
	constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf
	__proto__ __defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__`)

// A key that Node would drop is refused when it is put in, and nothing is stored.
func TestReservedKeysAreRefused(t *testing.T) {
	t.Parallel()
	for _, key := range droppedByNode {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			a := newApp[map[string]any](t, nil)
			a.put(t, `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"user":"ann"}`, time.Time{})
			before := a.record(t)
			res := a.visit(sentCookie(), func(s *session.Session[map[string]any]) {
				session.Put(s, key, "mine")
				if err := s.Save(t.Context()); !errors.Is(err, session.ErrReservedKey) {
					t.Errorf("Save: %v, want ErrReservedKey", err)
				}
			})
			if res.StatusCode != http.StatusInternalServerError {
				t.Errorf("the response is %d, want 500", res.StatusCode)
			}
			if got := a.record(t); string(got.Data) != string(before.Data) {
				t.Errorf("the document is %s, want it as it was", got.Data)
			}
		})
	}
}

// A reserved key that is stored is not visible, and the next save drops it, as in Node.
func TestReservedKeysAreDropped(t *testing.T) {
	t.Parallel()
	stored := map[string]any{"user": "ann"}
	for _, key := range droppedByNode {
		stored[key] = "planted"
	}
	stored["cookie"] = map[string]any{"originalMaxAge": nil, "path": "/"}
	text, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	a := newApp[map[string]any](t, nil)
	a.put(t, string(text), time.Time{})
	res := a.visit(sentCookie(), func(s *session.Session[map[string]any]) {
		if data := s.Data(); len(data) != 1 || data["user"] != "ann" {
			t.Errorf("data are %v, want only the user", data)
		}
		session.Put(s, "visits", 1)
	})
	want := `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"user":"ann","visits":1}`
	if got := string(a.record(t).Data); res.StatusCode != http.StatusOK || got != want {
		t.Errorf("%d, the document is\n%s\nwant\n%s", res.StatusCode, got, want)
	}
}

// New refuses a struct with a field of such a name.
func TestReservedFieldsAreRefused(t *testing.T) {
	t.Parallel()
	type data struct {
		Saved bool `json:"save"`
	}
	if _, err := session.New[data](express.Config(secret)); !errors.Is(err, session.ErrReservedKey) {
		t.Errorf("New: %v, want ErrReservedKey", err)
	}
}

// ReservedKeys returns a copy: a caller may append to it or change it.
func TestReservedKeysReturnsACopy(t *testing.T) {
	t.Parallel()
	express.ReservedKeys()[0] = "mine"
	express.Config(secret).Express.ReservedKeys[1] = "mine"
	if got := express.ReservedKeys(); got[0] != "cookie" || got[1] != "req" {
		t.Errorf("the names are %q", got)
	}
}
