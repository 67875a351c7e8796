package engine

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/interop/scenario"
)

func world(t *testing.T, text string) *World {
	t.Helper()
	var s scenario.Scenario
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	w, err := New(&s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

const small = `{"name":"g/s","options":{"secret":"s","resave":false,"saveUninitialized":false},
	"steps":[{"method":"GET","path":"/","cookies":"none","handler":[]}]}`

// The store replaces what other writers have stored, as express-session's stores do, and never
// creates a record that was removed.
func TestStoreWritesAsExpressSessionsDo(t *testing.T) {
	t.Parallel()
	w := world(t, small)
	s, ctx := w.store(scenario.MainStore), context.Background()
	r := newRequest(&scenario.Step{})
	w.enter(r)
	defer w.leave()
	first, err := s.Create(ctx, store.Record{ID: "a", Data: []byte(`{"cookie":{},"n":1}`), Expires: w.Now().Add(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.patch("a", map[string]any{"z": 1.0}, nil); err != nil {
		t.Fatal(err)
	}
	// A write that stands for a touch must conflict with the other's change.
	touch := store.Record{ID: "a", Version: first, Data: []byte(`{"cookie":{"path":"/x"},"n":1}`), Expires: w.Now().Add(time.Second)}
	if _, err := s.Update(ctx, touch); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a write that does not change the data: %v", err)
	}
	if rec, err := s.Load(ctx, "a"); err != nil || !strings.Contains(string(rec.Data), `"z"`) {
		t.Errorf("then there is %s, %v", rec.Data, err)
	}
	// A write that changes the data replaces it.
	change := touch
	change.Data = []byte(`{"cookie":{},"n":2}`)
	if _, err := s.Update(ctx, change); err != nil {
		t.Errorf("a write that changes the data: %v", err)
	}
	if rec, err := s.inner.Load(ctx, "a"); err != nil || string(rec.Data) != string(change.Data) {
		t.Errorf("then there is %s, %v", rec.Data, err)
	}
	// A record that has expired meanwhile is written again; one that was removed is not.
	w.advance(2 * time.Second)
	change.Data, change.Expires = []byte(`{"cookie":{},"n":3}`), w.Now().Add(time.Second)
	if _, err := s.Update(ctx, change); err != nil {
		t.Errorf("a write of what has expired: %v", err)
	}
	if err := s.remove("a"); err != nil {
		t.Fatal(err)
	}
	change.Data = []byte(`{"cookie":{},"n":4}`)
	if _, err := s.Update(ctx, change); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a write of what was removed: %v", err)
	}
	var calls []string
	for _, c := range r.calls {
		calls = append(calls, c.Kind+" "+c.ID+" "+c.Outcome)
	}
	if got := strings.Join(calls, ", "); got != "set a , set a , set a , set a gone" {
		t.Errorf("calls: %s", got)
	}
}

func TestFaultsFailAfterSoManyCalls(t *testing.T) {
	t.Parallel()
	w := world(t, small)
	recover := w.suffer([]scenario.Fault{{Call: "get", Error: "down", Skip: 1}, {Call: "touch", Error: "gone", Code: scenario.NotThere}})
	s, ctx := w.store(scenario.MainStore), context.Background()
	if _, err := s.Load(ctx, "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the first load: %v", err)
	}
	for range 2 {
		if _, err := s.Load(ctx, "a"); err == nil || err.Error() != "down" {
			t.Errorf("a later load: %v", err)
		}
	}
	if err := s.Touch(ctx, "a", time.Time{}); !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), "gone") {
		t.Errorf("touch: %v", err)
	}
	recover()
	if _, err := s.Load(ctx, "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a load after the step: %v", err)
	}
}

// A scenario that has no meaning fails.
func TestWhatCannotBeReplayedFails(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]string{
		"counting up a text":        `{"op":"set","key":"n","value":"x"},{"op":"incr","key":"n"}`,
		"appending to nothing":      `{"op":"push","key":"l","value":1}`,
		"assigning inside a number": `{"op":"set","key":"n","value":1},{"op":"setIn","path":["n","x"],"value":1}`,
		"assigning beyond a list":   `{"op":"set","key":"l","value":[]},{"op":"setIn","path":["l",3],"value":1}`,
		"the id of an empty jar":    `{"op":"storeRemove","id":{"jar":"connect.sid"}}`,
		"an invalid date":           `{"op":"setCookie","set":{"expires":{"at":"soon"}}}`,
		"a lifetime out of range":   `{"op":"setMaxAge","value":1e300}`,
		"a part of an empty jar":    `{"op":"nested","step":{"method":"GET","path":"/","cookies":{"lines":[[{"jar":"x"}]]},"handler":[]}}`,
		"a variant that is not":     `{"op":"nested","step":{"method":"GET","path":"/","cookies":"none","variant":"v","handler":[]}}`,
	} {
		w := world(t, strings.Replace(small, `"handler":[]`, `"handler":[`+handler+`]`, 1))
		if r, err := w.Step(&w.scenario.Steps[0], &scenario.Result{}); err == nil {
			t.Errorf("%s gives %+v", name, r)
		}
	}
	// Outside a handler there is no session.
	w := world(t, strings.Replace(small, `"handler":[]`, `"before":[{"op":"storeRemove","id":{"self":true}}],"handler":[]`, 1))
	if _, err := w.Step(&w.scenario.Steps[0], &scenario.Result{}); err == nil {
		t.Error("an own session before the request")
	}
	for name, options := range map[string]string{
		"no secret":        `{}`,
		"an empty secret":  `{"secret":""}`,
		"a bad same site":  `{"secret":"s","cookie":{"sameSite":"maybe"}}`,
		"a bad priority":   `{"secret":"s","cookieByPath":[{"prefix":"/","cookie":{"priority":"urgent"}}]}`,
		"an illegal name":  `{"secret":"s","name":"a b"}`,
		"an unusable date": `{"secret":"s","cookie":{"expires":{"at":"x"}}}`,
	} {
		var s scenario.Scenario
		text := strings.Replace(small, `{"secret":"s","resave":false,"saveUninitialized":false}`, options, 1)
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		if w, err := New(&s); err == nil {
			w.Close()
			t.Errorf("%s is accepted", name)
		}
	}
}

// Over TLS, and with a nested request over another kind of connection.
func TestTLS(t *testing.T) {
	t.Parallel()
	w := world(t, `{"name":"g/s","options":{"secret":"s","cookie":{"secure":"auto"}},"steps":[
		{"method":"GET","path":"/","cookies":"none","tls":true,"handler":[{"op":"cookie"},
			{"op":"nested","step":{"method":"GET","path":"/","cookies":"none","client":"b","handler":[{"op":"cookie"}]}}]}]}`)
	r, err := w.Step(&w.scenario.Steps[0], &scenario.Result{})
	if err != nil {
		t.Fatal(err)
	}
	inner := r.Values[1].Result
	if r.Cookies[0].Attrs["Secure"] != true || r.Values[0].Value.(map[string]any)["secure"] != true {
		t.Errorf("over TLS: %+v", r.Cookies[0].Shown())
	}
	if _, secure := inner.Cookies[0].Attrs["Secure"]; secure || inner.Values[0].Value.(map[string]any)["secure"] != false {
		t.Errorf("over plain HTTP: %+v", inner.Cookies[0].Shown())
	}
}

// Resync restores the stores, jars and numbers of an expectation.
func TestResync(t *testing.T) {
	t.Parallel()
	w := world(t, small)
	s := w.store(scenario.MainStore)
	if err := s.put("mine", map[string]any{"cookie": map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	start, by, name := w.Now(), 0, "S2"
	want := &scenario.Result{
		Cookies: []scenario.Cookie{{Name: "connect.sid", ID: &name, SignedBy: &by, Change: "new"}},
		Store: scenario.Store{"main": {
			"S1": map[string]any{"cookie": map[string]any{"expires": map[string]any{"in": 1000.0}}, "n": 1.0},
			"S2": map[string]any{"cookie": map[string]any{}},
		}},
	}
	w.Expect(want)
	if err := w.Resync(&scenario.Step{Client: "c"}, want, w.Jars(), start); err != nil {
		t.Fatal(err)
	}
	docs, err := s.documents(start)
	if err != nil {
		t.Fatal(err)
	}
	first, ok := docs[w.realID("S1")].(map[string]any)
	if len(docs) != 2 || !ok || first["n"] != 1.0 || first["cookie"].(map[string]any)["expires"].(map[string]any)["in"] != 1000.0 {
		t.Errorf("the store holds %v", docs)
	}
	if id, ok := w.jar("c").ID("connect.sid"); !ok || id != w.realID("S2") || id == "S2" {
		t.Errorf("the jar holds %q", id)
	}
	if w.see("mine"); w.name("mine") != "mine" {
		t.Error("an id that was not generated has a number")
	}
}
