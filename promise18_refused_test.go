package session_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
)

type (
	secretive struct{ token string }
	dropsB    struct{ A, B string }
	nested    struct {
		Deep []string `json:"deep"`
	}

	// assorted has a member of each kind.
	assorted struct {
		Name   string            `json:"name"`
		Tags   []string          `json:"tags,omitempty"`
		Nested map[string]nested `json:"nested,omitempty"`
		Keys   map[string]int    `json:"keys,omitempty"`
		Any    any               `json:"any,omitempty"`
		Raw    json.RawMessage   `json:"raw,omitempty"`
		Ratio  float64           `json:"ratio"`
		At     time.Time         `json:"at"`
		Ptr    *time.Time        `json:"ptr,omitempty"`
		All    []time.Time       `json:"all,omitempty"`
		Addr   netip.Addr        `json:"addr"`
		Floats []float64         `json:"floats,omitempty"`
		Bytes  []byte            `json:"bytes,omitempty"`
		ByNum  map[int]time.Time `json:"byNum,omitempty"`
		Lossy  []dropsB          `json:"lossy,omitempty"`
		Num    json.Number       `json:"num,omitempty"`
		Site   *url.URL          `json:"site,omitempty"`
		PP     **int             `json:"pp,omitempty"`
		Quoted string            `json:"quoted,string"`
		ID     int64             `json:"user"`
		Text   int64             `json:"text,string"`
		List   []uint64          `json:"list"`
	}
)

func (l dropsB) MarshalJSON() ([]byte, error)     { return json.Marshal(l.A) }
func (l *dropsB) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &l.A) }

// "A value that would change when it is stored and loaded is refused, by New where the type shows it,
// else by the save."
func TestPromise18_WhatCannotComeBackIsRefused(t *testing.T) {
	t.Parallel()
	t.Run("by New", func(t *testing.T) { // all types are in internal/document
		t.Parallel()
		refused[partly](t, "json:\"-\"")
	})
	year := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	mean := time.Date(1850, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 1172))
	for path, change := range map[string]func(*assorted){
		"name":             func(d *assorted) { d.Name = "\xff" },
		"quoted":           func(d *assorted) { d.Quoted = "a\xc3" },
		"tags[1]":          func(d *assorted) { d.Tags = []string{"a", "b\x80"} },
		"nested.a.deep[0]": func(d *assorted) { d.Nested = map[string]nested{"a": {Deep: []string{"\xff"}}} },
		`keys["\xff"]`:     func(d *assorted) { d.Keys = map[string]int{"\xff": 1} },
		"any":              func(d *assorted) { d.Any = "\xff" },
		"any.list[0]":      func(d *assorted) { d.Any = map[string]any{"list": []string{"\xff"}} },
		`any["\xff"]`:      func(d *assorted) { d.Any = map[string]any{"\xff": 1} },
		"any.token":        func(d *assorted) { d.Any = partly{"a", "b"} },
		"raw":              func(d *assorted) { d.Raw = json.RawMessage("\"\xff\"") },
		"ratio":            func(d *assorted) { d.Ratio = math.NaN() },
		"any[0]":           func(d *assorted) { d.Any = []any{math.Inf(1)} },
		"ptr":              func(d *assorted) { d.Ptr = &year },
		"ptr ":             func(d *assorted) { d.Ptr = &mean },
		"at":               func(d *assorted) { d.At = year },
		"lossy[0].B":       func(d *assorted) { d.Lossy = []dropsB{{"a", "b"}} },
		"num":              func(d *assorted) { d.Num = "twelve" },
		"site.User":        func(d *assorted) { d.Site = &url.URL{Host: "a.test", User: url.User("ada")} },
		"pp":               func(d *assorted) { d.PP = new(*int) },
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			path := strings.TrimSpace(path)
			m := newManager[assorted](t, session.Config{})
			var err error
			b := newBrowser()
			res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[assorted]) {
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

// Node holds numbers as float64, and would write another id back.
func TestIntegersThatNodeCannotHoldAreRefusedBesideIt(t *testing.T) {
	t.Parallel()
	cfg := express.Config(secret)
	m := newManager[assorted](t, cfg)
	const large = 1<<53 + 1
	for path, change := range map[string]func(*assorted){
		"":        func(d *assorted) { d.ID, d.Text, d.List = 1<<53, large, []uint64{1 << 53, 1} },
		"user":    func(d *assorted) { d.ID = -large },
		"list[1]": func(d *assorted) { d.List = []uint64{1, math.MaxUint64} },
		"raw.a":   func(d *assorted) { d.Raw = json.RawMessage(`{"a":9007199254740993}`) },
		"any":     func(d *assorted) { d.Any = json.Number("9007199254740993") },
	} {
		do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[assorted]) {
			s.Update(change)
			err := s.Save(r.Context())
			if (path == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), path+":") || !strings.Contains(err.Error(), "text")) {
				t.Errorf("at %q: %v", path, err)
			}
		})
	}
}
