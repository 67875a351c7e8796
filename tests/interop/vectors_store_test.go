package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/interop/client"
	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/engine"
	"github.com/nestsession/session/tests/interop/scenario"
)

// sameDocument compares two documents as JSON values, with their cookie members as express-session
// reads them.
func sameDocument(a, b string) bool {
	return reflect.DeepEqual(compare.Document(parsed(a)), compare.Document(parsed(b)))
}

func parsed(text string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return "not JSON: " + text
	}
	return v
}

// cookieText returns the text of a document's cookie member.
func cookieText(t *testing.T, document string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(document), &members); err != nil {
		t.Fatalf("%q: %v", document, err)
	}
	return string(members["cookie"])
}

// dataIn returns a document without its cookie.
func dataIn(t *testing.T, document string) engine.Data {
	t.Helper()
	var d engine.Data
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		t.Fatalf("%q: %v", document, err)
	}
	delete(d, "cookie")
	return d
}

// The stored document is equivalent to express-session's, and lives as long. The cookie member has
// the same bytes, if Go's types can express the settings.
func TestVectorsStoreDocuments(t *testing.T) {
	t.Parallel()
	type vector struct {
		Name       string
		Options    map[string]json.RawMessage
		MemoryJSON string
		Redis      struct{ TTLSeconds *float64 }
		Path       string
	}
	for _, v := range vectors[vector](t, "store-documents") {
		v.Options["saveUninitialized"], v.Options["resave"] = json.RawMessage("true"), json.RawMessage("false")
		options, err := json.Marshal(v.Options)
		if err != nil {
			t.Fatal(err)
		}
		kept := &keeping{records: map[string]store.Record{}}
		b, err := newBench(t, benchOptions{
			options: options, secrets: []string{"golden"}, at: scenario.DefaultClock, ids: []string{"doc-id"}, store: kept,
		})
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		data := dataIn(t, v.MemoryJSON)
		b.handler = func(s *session.Session[engine.Data]) {
			s.Update(func(d *engine.Data) {
				for key, value := range data {
					(*d)[key] = value
				}
			})
			// "lifetime changed by handler": the options have one minute, the document does not.
			var want struct{ Cookie struct{ OriginalMaxAge any } }
			if err := json.Unmarshal([]byte(v.MemoryJSON), &want); err != nil {
				t.Error(err)
			}
			if ms, ok := want.Cookie.OriginalMaxAge.(float64); ok && s.Cookie().MaxAge > time.Millisecond {
				s.SetMaxAge(time.Duration(ms) * time.Millisecond)
			}
		}
		path := v.Path
		if path == "" {
			path = "/"
		}
		b.get(t, path, nil)
		rec, stored := kept.records["doc-id"]
		if !stored {
			t.Errorf("%s: nothing is stored", v.Name)
			continue
		}
		if !sameDocument(string(rec.Data), v.MemoryJSON) {
			t.Errorf("%s:\n  expected %s\n  got      %s", v.Name, v.MemoryJSON, rec.Data)
		}
		if want, got := cookieText(t, v.MemoryJSON), cookieText(t, string(rec.Data)); want != got && sayable(want) {
			t.Errorf("%s: the cookie member in other words\n  expected %s\n  got      %s", v.Name, want, got)
		}
		if got := ttl(rec.Expires, scenario.DefaultClock, 86400); v.Redis.TTLSeconds != nil && float64(got) != *v.Redis.TTLSeconds {
			t.Errorf("%s: lives for %d s, not %v", v.Name, got, *v.Redis.TTLSeconds)
		}
	}
}

// sayable reports whether Go can write a cookie member with the same bytes. It cannot if settings
// are false or null instead of missing, or are spelled in another way.
func sayable(cookie string) bool {
	for _, odd := range []string{`"secure":false`, `"secure":null`, `"domain":null`, `"sameSite":null`, `"sameSite":true`} {
		if bytes.Contains([]byte(cookie), []byte(odd)) {
			return false
		}
	}
	return true
}

// ttl is the time to live that connect-redis gives a key, in seconds.
func ttl(expires, now time.Time, untimed int) int {
	if expires.IsZero() {
		return untimed
	}
	return int(math.Ceil(float64(expires.Sub(now).Milliseconds()) / 1000))
}

// keeping is a store whose sessions do not expire.
type keeping struct {
	records map[string]store.Record
	version store.Version
}

func (k *keeping) Load(_ context.Context, id string) (store.Record, error) {
	rec, ok := k.records[id]
	if !ok {
		return rec, store.ErrNotFound
	}
	return rec, nil
}

func (k *keeping) Create(_ context.Context, rec store.Record) (store.Version, error) {
	k.version++
	rec.Version = k.version
	k.records[rec.ID] = rec
	return rec.Version, nil
}

func (k *keeping) Update(ctx context.Context, rec store.Record) (store.Version, error) {
	kept, err := k.Load(ctx, rec.ID)
	if err != nil {
		return 0, err
	}
	if kept.Version != rec.Version {
		return 0, store.ErrConflict
	}
	return k.Create(ctx, rec)
}

func (k *keeping) Touch(ctx context.Context, id string, expires time.Time) error {
	rec, err := k.Load(ctx, id)
	rec.Expires = expires
	if err == nil {
		k.records[id] = rec
	}
	return err
}

func (k *keeping) Delete(_ context.Context, id string) error {
	delete(k.records, id)
	return nil
}

// Every text that express-session can read is read in the same way, and written back in the same
// way. A text that makes express-session fail forever makes a new session here; so does a text
// that no program meant as a session.
func TestVectorsStoreReading(t *testing.T) {
	t.Parallel()
	type seen struct {
		ID     string
		Data   engine.Data
		Cookie struct{ MaxAge any }
	}
	type outcome struct {
		Status     any
		HandlerSaw *seen
		SetCookie  *string
		TextAfter  string
	}
	type vector struct {
		Name, Text string
		Memory     outcome
	}
	now := scenario.DefaultClock
	for _, v := range vectors[vector](t, "store-reading") {
		b, err := newBench(t, benchOptions{
			options: json.RawMessage(`{"saveUninitialized":true,"resave":false}`), secrets: []string{"golden"}, at: now,
			ids: []string{"fresh"},
		})
		if err != nil {
			t.Fatal(err)
		}
		rec := store.Record{ID: "given", Data: []byte(v.Text), Expires: expiryIn(v.Text)}
		if _, err := b.kept.Create(context.Background(), rec); err != nil {
			t.Fatal(err)
		}
		var saw seen
		b.handler = func(s *session.Session[engine.Data]) {
			saw.ID, saw.Data = s.ID(), maps.Clone(s.Data())
			saw.Cookie.MaxAge = milliseconds(s.Expires(), now)
			s.Update(func(d *engine.Data) { (*d)["seen"] = true })
		}
		resp := b.get(t, "/", nil, cookieName+"="+client.Escape(client.Sign("golden", "given")))
		if resp.Status != 200 {
			t.Errorf("%s: status %d", v.Name, resp.Status)
			continue
		}
		want := v.Memory
		fresh := want.HandlerSaw == nil || want.HandlerSaw.ID == "fresh"
		if fresh != (saw.ID == "fresh") {
			t.Errorf("%s: the session is %q", v.Name, saw.ID)
			continue
		}
		if fresh {
			if kept, ok := b.record(t, "given"); !ok || string(kept.Data) != v.Text {
				t.Errorf("%s: what could not be read was changed: %s", v.Name, kept.Data)
			}
			continue
		}
		// Numbers are compared as JavaScript reads them; the library does not round them.
		if text, err := json.Marshal(saw.Data); err != nil || !reflect.DeepEqual(parsed(string(text)), any(map[string]any(want.HandlerSaw.Data))) {
			t.Errorf("%s: the handler sees %v, not %v", v.Name, saw.Data, want.HandlerSaw.Data)
		}
		readable := want.Status == 200.0 // except where express-session never answers
		_, odd := want.HandlerSaw.Cookie.MaxAge.(float64)
		odd = odd && want.HandlerSaw.Cookie.MaxAge == 1767225660000.0 // express-session does not read a date that is a number
		if got := saw.Cookie.MaxAge; readable && !odd && got != want.HandlerSaw.Cookie.MaxAge {
			t.Errorf("%s: %v ms remain, not %v", v.Name, got, want.HandlerSaw.Cookie.MaxAge)
		}
		if !readable {
			continue
		}
		setCookie := ""
		if want.SetCookie != nil {
			setCookie = *want.SetCookie
		}
		if got := oneLine(resp); got != setCookie {
			t.Errorf("%s: Set-Cookie\n  expected %s\n  got      %s", v.Name, setCookie, got)
		}
		after, _ := b.record(t, "given")
		if !sameDocument(string(after.Data), want.TextAfter) {
			t.Errorf("%s: stored afterwards\n  expected %s\n  got      %s", v.Name, want.TextAfter, after.Data)
		}
	}
}

// expiryIn returns the date in a document, as a shared store would have it.
func expiryIn(text string) time.Time {
	var doc struct{ Cookie struct{ Expires any } }
	if json.Unmarshal([]byte(text), &doc) != nil {
		return time.Time{}
	}
	switch at := doc.Cookie.Expires.(type) {
	case float64:
		return time.UnixMilli(int64(at))
	case string:
		t, _ := scenario.ParseDate(at)
		return t
	}
	return time.Time{}
}

// milliseconds returns the remaining time, as express-session's maxAge.
func milliseconds(at, now time.Time) any {
	if at.IsZero() {
		return nil
	}
	return float64(at.Sub(now).Milliseconds())
}
