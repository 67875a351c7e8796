package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"github.com/nestsession/session/internal/jsontext"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"
)

type fuzzed struct {
	Name  string         `json:"name,omitempty"`
	Count int            `json:"count"`
	At    time.Time      `json:"at,omitzero"`
	User  *leaf          `json:"user,omitempty"`
	Any   any            `json:"any,omitempty"`
	Map   map[string]int `json:"map,omitempty"`
}

// FuzzDocument: whatever a store holds, reading it ends in a value or in an error; and
// what is not ours keeps its text in a save.
func FuzzDocument(f *testing.F) {
	for _, text := range []string{
		`{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"name":"ada","count":1}`,
		`{"cookie":{"originalMaxAge":60000,"expires":"2026-01-01T00:01:00.000Z","secure":"auto","sameSite":true,"priority":"high","partitioned":true,"domain":"a.b"},"passport":{"user":"42"},"any":[1,{"a":9007199254740993}]}`,
		`{"cookie":{"originalMaxAge":"60000"},"__nestsession":{"created":1,"used":2,"owner":"user:1","ownCookie":true}}`,
		`{"cookie":{},"__nestsession":{"successor":"k","until":9}}`,
		` { "cookie" : { } , "a" : "\"}{,:" , "b" : [ [ ] , { } ] , "c" : -1.5e+3 , "d" : null } `,
		`{"cookie":{},"a":1,"a":2,"count":"x"}`,
		`{"cookie":{},"\u0061":1,"a\u0000\n":2,"\ud83d\ude00":3,"\ud800":4}`,
		`{"cookie":{"originalMaxAge":1e308}}`, `{"cookie":{"originalMaxAge":-1}}`, `{"cookie":null}`, `{"cookie":[]}`,
		`{"Cookie":{},"cookie":{},"Name":"b","NAME":1}`, `{"cookie":{},"at":"2026-01-01T00:00:00+09:00","map":{"":0}}`,
		"\r\n{\n\t\"cookie\": {\r\n\t},\n\"count\"\t:\n7\r}\n",
		`{}`, `[]`, `null`, `"x"`, ``, `{`, `{"cookie":{},}`, `{"cookie":{}}x`, "{\"cookie\":{},\"\xff\":1}", "\ufeff{}",
	} {
		f.Add([]byte(text), "eve", 7)
	}
	typed, err := sealingCodec[fuzzed]()
	if err != nil {
		f.Fatal(err)
	}
	free, err := sealingCodec[map[string]any]()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte, name string, count int) {
		text = bytes.Clone(text) // as a store's data: nobody writes to it afterwards
		members, err := jsontext.Parse(text)
		if json.Valid(text) && bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) != (err == nil) {
			t.Fatalf("parseMembers: %v", err)
		}
		if err == nil {
			sameObject(t, text, members)
		}
		rewritten(t, &typed, text, func(v *fuzzed) { v.Name, v.Count = name, count })
		rewritten(t, &typed, text, func(*fuzzed) {})
		rewritten(t, &free, text, func(v *map[string]any) { (*v)["name"] = name })
	})
}

// sealingCodec is a codec for tests, with a secret.
func sealingCodec[T any]() (Codec[T], error) {
	c, err := NewCodec[T](nil, false, Cookies{Parse: keepCookie}, DefaultCacheBytes)
	c.Seal = NewSealer([]string{"a secret for tests"}, "", false, true)
	return c, err
}

// Decode is Look and DecodeAt for a record that was loaded.
func (c *Codec[T]) Decode(key string, data []byte) (*Document[T], error) {
	p := c.Look(key)
	return c.DecodeAt(p, key, data, 0, Opener{})
}

// keepCookie has the cookie member as text for its settings.
func keepCookie(text []byte) (settings any, l Lifetime, ends Instant, err error) {
	var member struct {
		OriginalMaxAge any `json:"originalMaxAge"`
	}
	if err := json.Unmarshal(text, &member); err != nil {
		return nil, Lifetime{}, 0, err
	}
	return string(text), ParseLifetime(member.OriginalMaxAge), 0, nil
}

// sameObject asserts that the members, put together again, are the object.
func sameObject(t *testing.T, text []byte, members []jsontext.Member) {
	t.Helper()
	again := jsontext.AppendObject(nil, members)
	var want, got map[string]any
	if json.Unmarshal(text, &want) != nil { // too deep, or a number too large
		return
	}
	if err := json.Unmarshal(again, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s was taken apart as %s (%v)", text, again, err)
	}
}

// rewritten reads a document and saves it with a change, and asserts that the others'
// members are as they were, and that reading it again gives the changed value.
func rewritten[T any](t *testing.T, c *Codec[T], text []byte, change func(*T)) {
	t.Helper()
	d, err := c.Decode("key", text)
	if err != nil {
		return
	}
	var value T
	if err := c.Copy(d, &value); err != nil {
		t.Fatalf("copying what was decoded of %s: %v", text, err)
	}
	if !c.Same(&value, &d.Value) {
		t.Fatalf("the copy of what was decoded of %s is another", text)
	}
	change(&value)
	if err := c.Detach(&value); err != nil {
		if utf8.ValidString(fmt.Sprint(value)) {
			t.Fatalf("detaching what was decoded of %s: %v", text, err)
		}
		return
	}
	body, err := c.Encode(&value)
	if err == nil {
		err = c.Normalize(&value, body)
	}
	if err != nil {
		if utf8.ValidString(fmt.Sprint(value)) {
			t.Fatalf("encoding what was decoded of %s: %v", text, err)
		}
		return
	}
	info := Meta{Owner: "user:1", Created: 7}
	next, err := c.Compose(d, "other key", &value, body, []byte(d.Cookie.(string)), d.Cookie, d.Lifetime, info, Opener{})
	if err != nil {
		t.Fatalf("composing what was decoded of %s: %v", text, err)
	}
	again, err := c.Decode("other key", next.Data)
	if err != nil {
		t.Fatalf("%s was saved as %s, which cannot be read: %v", text, next.Data, err)
	}
	if !alike(reflect.ValueOf(again.Value), reflect.ValueOf(next.Value)) {
		t.Fatalf("%s was saved as %s: read as %+v, kept as %+v", text, next.Data, again.Value, next.Value)
	}
	again.Meta.MAC = ""
	if again.Meta != info || again.Cookie != d.Cookie || again.Lifetime != d.Lifetime {
		t.Fatalf("%s was saved as %s, with another cookie or other bookkeeping: %+v %+v %+v, were %+v %+v %+v",
			text, next.Data, again.Meta, again.Cookie, again.Lifetime, info, d.Cookie, d.Lifetime)
	}
	if c.fields == nil || !utf8.Valid(text) {
		return
	}
	others, err := c.others(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range others {
		if m.At == 0 && !bytes.Contains(next.Data, m.Text) {
			t.Fatalf("other programs' members %s are not in %s", m.Text, next.Data)
		}
	}
}
