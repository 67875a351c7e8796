package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
)

type (
	secretive struct{ token string }
	partly    struct {
		Name  string
		token string
	}
	stamped struct { // whose encoding is the time's alone
		time.Time
		Note string
	}
	holdsStamped struct{ At stamped }
	twoNames     struct {
		A string `json:"B"`
		B string
	}
	twoCases struct {
		A string `json:"user"`
		B string `json:"User"`
	}
	kelvin struct {
		A string `json:"k"`
		B string `json:"\u212a"`
	}
	Left    struct{ ID int }
	Right   struct{ ID int }
	bothIDs struct {
		Left
		Right
	}
	hidesID struct {
		Left
		ID string
	}
	unexportedPointer struct {
		*embedded
		Name string
	}
	//lint:ignore U1000 New looks at it by reflection
	namedText  string
	hiddenText struct {
		//lint:ignore U1000 New looks at it by reflection
		namedText
		Name string
	}
	color  int // encodes itself, and does not decode itself
	dropsB struct{ A, B string }
	idLike [16]byte
	level  int
)

func (c color) MarshalText() ([]byte, error) { return []byte("red"), nil }

func (l dropsB) MarshalJSON() ([]byte, error)     { return json.Marshal(l.A) }
func (l *dropsB) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &l.A) }

func (i idLike) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", i[:]), nil }
func (i *idLike) UnmarshalText(text []byte) error {
	b, ok := new(big.Int).SetString(string(text), 16)
	if !ok {
		return errors.New("not an id")
	}
	b.FillBytes(i[:])
	return nil
}

func (l level) MarshalText() ([]byte, error) { return []byte([]string{"low", "high"}[l]), nil }
func (l *level) UnmarshalText(text []byte) error {
	*l = level(strings.Index("low high", string(text)) / 4)
	return nil
}

// "What cannot come back as it went in is refused, by New where the type shows it,
// else by the save."
func TestPromise18_WhatCannotComeBackIsRefused(t *testing.T) {
	t.Parallel()
	t.Run("by New", func(t *testing.T) {
		t.Parallel()
		refused[secretive](t, "token")
		refused[partly](t, "json:\"-\"")
		refused[struct{ P []partly }](t, "P.token")
		refused[map[string]partly](t, "token")
		refused[holdsStamped](t, "Time")
		refused[twoNames](t, "one name")
		refused[twoCases](t, "one name")
		refused[kelvin](t, "one name")
		refused[bothIDs](t, "Left.ID")
		refused[hidesID](t, "Left.ID")
		refused[unexportedPointer](t, "embedded")
		refused[hiddenText](t, "namedText")
		refused[struct{ E error }](t, "interface")
		refused[struct{ M map[string]fmt.Stringer }](t, "interface")
		refused[struct{ M map[float64]int }](t, "keys")
		refused[struct{ P *struct{ M map[any]int } }](t, "keys")
		refused[struct{ C color }](t, "read back")
	})
	type data struct {
		Name   string            `json:"name"`
		Tags   []string          `json:"tags,omitempty"`
		Nested map[string]nested `json:"nested,omitempty"`
		Keys   map[string]int    `json:"keys,omitempty"`
		Any    any               `json:"any,omitempty"`
		Raw    json.RawMessage   `json:"raw,omitempty"`
		Ratio  float64           `json:"ratio"`
		At     *time.Time        `json:"at,omitempty"`
		Lossy  []dropsB          `json:"lossy,omitempty"`
		Num    json.Number       `json:"num,omitempty"`
		Site   *url.URL          `json:"site,omitempty"`
		PP     **int             `json:"pp,omitempty"`
		Quoted string            `json:"quoted,string"`
	}
	year := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	mean := time.Date(1850, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 1172))
	for path, change := range map[string]func(*data){
		"name":             func(d *data) { d.Name = "\xff" },
		"quoted":           func(d *data) { d.Quoted = "a\xc3" },
		"tags[1]":          func(d *data) { d.Tags = []string{"a", "b\x80"} },
		"nested.a.deep[0]": func(d *data) { d.Nested = map[string]nested{"a": {Deep: []string{"\xff"}}} },
		`keys["\xff"]`:     func(d *data) { d.Keys = map[string]int{"\xff": 1} },
		"any":              func(d *data) { d.Any = "\xff" },
		"any.list[0]":      func(d *data) { d.Any = map[string]any{"list": []string{"\xff"}} },
		`any["\xff"]`:      func(d *data) { d.Any = map[string]any{"\xff": 1} },
		"any.token":        func(d *data) { d.Any = partly{"a", "b"} },
		"raw":              func(d *data) { d.Raw = json.RawMessage("\"\xff\"") },
		"ratio":            func(d *data) { d.Ratio = math.NaN() },
		"any[0]":           func(d *data) { d.Any = []any{math.Inf(1)} },
		"at":               func(d *data) { d.At = &year },
		"at ":              func(d *data) { d.At = &mean },
		"lossy[0].B":       func(d *data) { d.Lossy = []dropsB{{"a", "b"}} },
		"num":              func(d *data) { d.Num = "twelve" },
		"site.User":        func(d *data) { d.Site = &url.URL{Host: "a.test", User: url.User("ada")} },
		"pp":               func(d *data) { d.PP = new(*int) },
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			path := strings.TrimSpace(path)
			m := newManager[data](t, session.Config{})
			var err error
			b := newBrowser()
			res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[data]) {
				s.Update(change)
				_ = s.Data()
				err = s.Save(r.Context())
			})
			if want := strings.TrimSuffix(path, ".token"); !errors.Is(err, session.ErrUnstorable) || !strings.Contains(err.Error(), want) {
				t.Errorf("Save: %v, want ErrUnstorable at %s", err, path)
			}
			if res.StatusCode != http.StatusInternalServerError || b.cookie() != "" {
				t.Errorf("answered %d", res.StatusCode)
			}
		})
	}
	t.Run("Put", func(t *testing.T) {
		t.Parallel()
		m := newManager[map[string]any](t, session.Config{})
		for _, value := range []any{"\xff", []string{"\xff"}, map[string]string{"\xff": "x"}, secretive{"x"}, dropsB{"a", "b"}, math.NaN(), struct{ R error }{}} {
			do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, s *bag) {
				session.Put(s, "key", value)
				if err := s.Save(r.Context()); !errors.Is(err, session.ErrUnstorable) || !strings.Contains(err.Error(), "key") {
					t.Errorf("%#v: %v", value, err)
				}
			})
		}
	})
}

type nested struct {
	Deep []string `json:"deep"`
}

// Types in common use, and what only looks like trouble.
func TestWhatComesBackIsStored(t *testing.T) {
	t.Parallel()
	type null[V any] struct { // as sql.Null
		V     V
		Valid bool
	}
	type usual struct {
		At    time.Time
		Addr  netip.Addr
		ID    idLike
		IDs   map[idLike]string
		Level level
		Null  null[string]
		Site  *url.URL
		Any   map[string]any
		Big   *big.Int
		Bytes []byte
		Empty []string `json:"e,omitempty"`
		Raw   json.RawMessage
		Text  string
		Zero  float64
		_     struct{}
		//lint:ignore U1000 New looks at it by reflection
		unused struct{}
		//lint:ignore U1000 New looks at it by reflection
		hidden int `json:"-"`
	}
	now := time.Now()
	accepted(t, func(v *usual) {
		*v = usual{
			At: now, Addr: netip.MustParseAddr("::1"), ID: idLike{1, 15: 2}, IDs: map[idLike]string{{3}: "x"}, Level: 1, Null: null[string]{"x", true},
			Site: &url.URL{Scheme: "https", Host: "shop.test", Path: "/ä"}, Any: map[string]any{"n": 1, "l": []string{"x"}, "at": now, "s": nested{}},
			Big: new(big.Int), Bytes: []byte{0xff, 0xfe}, Empty: []string{}, Raw: json.RawMessage(`{ "a": "\ud800" }`), Text: "\ufffd \\ufffd", Zero: math.Copysign(0, -1),
		}
	}, func(v usual) bool {
		return v.At.Equal(now) && v.ID == idLike{1, 15: 2} && v.IDs[idLike{3}] == "x" && v.Level == 1 && v.Null.V == "x" && v.Site.Path == "/ä" &&
			v.Big.Sign() == 0 && reflect.DeepEqual(v.Bytes, []byte{0xff, 0xfe}) && v.Text == "\ufffd \\ufffd" && math.Signbit(v.Zero)
	})
}

// Node holds numbers as float64, and would write another id back.
func TestIntegersThatNodeCannotHoldAreRefusedBesideIt(t *testing.T) {
	t.Parallel()
	type data struct {
		ID   int64           `json:"user"`
		Text int64           `json:"text,string"`
		List []uint64        `json:"list"`
		Raw  json.RawMessage `json:"raw"`
		Any  any             `json:"any"`
	}
	cfg := express.Config(secret)
	m := newManager[data](t, cfg)
	const large = 1<<53 + 1
	for path, change := range map[string]func(*data){
		"":        func(d *data) { d.ID, d.Text, d.List = 1<<53, large, []uint64{1 << 53, 1} },
		"user":    func(d *data) { d.ID = -large },
		"list[1]": func(d *data) { d.List = []uint64{1, math.MaxUint64} },
		"raw.a":   func(d *data) { d.Raw = json.RawMessage(`{"a":9007199254740993}`) },
		"any":     func(d *data) { d.Any = json.Number("9007199254740993") },
	} {
		do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[data]) {
			s.Update(change)
			err := s.Save(r.Context())
			if (path == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), path+":") || !strings.Contains(err.Error(), "text")) {
				t.Errorf("at %q: %v", path, err)
			}
		})
	}
}
