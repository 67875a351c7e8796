package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
	"time"
)

// Bookkeeping that is read by hand is valid JSON, and what encoding/json reads.
func FuzzBookkeeping(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"created":1767225600000,"used":1767225600000,"owner":"user:1","mac":"0123456789012345678901"}`,
		`{"created":0,"authenticated":1,"ownCookie":true,"unseen":true,"seen":2}`,
		`{"successor":"k","newID":"x","until":3,"login":true,"carry":true,"ended":true}`,
		`{"notes":"a=1\u0026b=2"}`, `{"notes":"a=1&b=%22","created":1}`, `{"notes":1}`, `{"created":-1}`, `{"created":1.5}`, `{"created":1e3}`, `{"created":99999999999999999999}`, `{"created":"1"}`, `{"created":null}`,
		`{"Created":1}`, `{"created":1,"created":2}`, `{"owner":"\u0061"}`, "{\"owner\":\"\xff\"}", `{"owner":"é"}`, `{"ended":false}`, `{"other":1}`, ` {"created":1}`,
		`{"owner":"user:1","device":{"name":"laptop","userAgent":"Mozilla/5.0 (X11)","first":"192.0.2.0/24","last":"2001:db8::/48"}}`,
		`{"device":{}}`, `{"device":null}`, `{"device":[]}`, `{"device":{"name":1}}`, `{"device":{"first":"192.0.2.0"}}`, `{"device":{"first":""}}`, `{"device":{"other":"x"}}`,
		`{"device":{"name":"a"},"device":{"last":"::/0"}}`, `{"device":{"name":"a","name":"b"}}`, `{"device":{"name":"a"`, `{"device":{"name":"a"},}`, `{"device":{"name":"a",}}`,
		`{"created" :1}`, `{"created":01}`, "{\"owner\":\"\n\"}", `{"owner":"`, `{"owner":1}`, `{"ended":1}`, `{"a\"":1}`, `[]`, `null`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got, want Meta
		if got.parse(text) != len(text) {
			return
		}
		if err := json.Unmarshal(text, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %+v, is %+v (%v)", text, got, want, err)
		}
	})
}

func TestBookkeepingThatIsWrittenIsReadByHand(t *testing.T) {
	t.Parallel()
	s := NewSealer([]string{"a secret for tests"}, "", false, false)
	err := quick.Check(func(m Meta) bool {
		m.Methods = strings.Map(ascii, m.Methods)
		m.Owner, m.Successor, m.NewID = strings.Map(ascii, m.Owner), strings.Map(ascii, m.Successor), strings.Map(ascii, m.NewID)
		m.Sealed = strings.Map(ascii, m.Sealed)
		m.Notes = Notes(strings.Map(ascii, string(m.Notes)))
		for _, i := range []*Instant{&m.Created, &m.Used, &m.Authenticated, &m.Seen, &m.Until} {
			*i &= 1<<50 - 1
		}
		if d := m.Device; d != nil {
			d.Name, d.UserAgent = strings.Map(ascii, d.Name), strings.Map(ascii, d.UserAgent)
		}
		m.Forged, m.Stale, m.MAC = false, false, ""
		text := m.append(nil, s, "key")
		if len(text) == 0 {
			return true
		}
		var got Meta
		text = bytes.TrimPrefix(text, []byte(`,"`+metaKey+`":`))
		if got.parse(text) != len(text) || !got.onlyEnded() && s.macOf("key", &got) != 0 {
			return false
		}
		got.MAC = ""
		return reflect.DeepEqual(got, m)
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

// Generate is for [quick.Check], which cannot fill a netip.Prefix.
func (*Device) Generate(r *rand.Rand, size int) reflect.Value {
	prefix := func() netip.Prefix {
		var b [4]byte
		_, _ = r.Read(b[:])
		if b[0] < 64 {
			return netip.Prefix{}
		}
		return netip.PrefixFrom(netip.AddrFrom4(b), r.Intn(33))
	}
	text, _ := quick.Value(reflect.TypeFor[string](), r)
	d := Device{Name: "a" + text.String(), FirstAddress: prefix(), LastAddress: prefix()}
	if r.Intn(2) == 0 {
		d.UserAgent, d.Name = d.Name, ""
	}
	if r.Intn(4) == 0 {
		return reflect.Zero(reflect.TypeFor[*Device]())
	}
	return reflect.ValueOf(&d)
}

// ascii replaces what is written with an escape, which encoding/json reads.
func ascii(r rune) rune {
	if r = r % 128; r < ' ' || r == '"' || r == '\\' || r == 127 {
		return 'x'
	}
	return r
}

type settings struct{ Path string }

// Cookie members whose settings are known are read as the parser reads them.
func TestKnownCookiesAreReadAsOthers(t *testing.T) {
	t.Parallel()
	parses := 0
	parse := func(text []byte) (any, Lifetime, Instant, error) {
		parses++
		var m struct {
			OriginalMaxAge any `json:"originalMaxAge"`
			Expires        any
			Path           string
		}
		err := json.Unmarshal(text, &m)
		date, _ := m.Expires.(string)
		at, _ := time.Parse(time.RFC3339, date)
		return settings{m.Path}, ParseLifetime(m.OriginalMaxAge), InstantOf(at), err
	}
	r := cookieReader{parse: parse, write: func(s any) []byte {
		return fmt.Appendf(nil, `{"originalMaxAge":null,"expires":null,"path":%q}`, s.(settings).Path)
	}}
	for range 2 {
		for _, path := range []string{"/", "/a", "/b"} {
			for _, age := range []string{"null", "0", "1", "604800000", "99999999999", "999999999999999", "1.5", "1e3", "-1", `"60000"`, "false", "true", "{}"} {
				for _, date := range []string{"null", "false", `"2026-01-08T00:00:00.000Z"`, `"2028-02-29T23:59:59.999Z"`, `"+12026-01-08T00:00:00.000Z"`, `"2026-01-08"`, `{}`, "1"} {
					for _, form := range []string{`{"originalMaxAge":%s,"expires":%s,"path":%q}`, `{"originalMaxAge":%s,"expires":%s,"path":%q,"more":1}`, `{"originalMaxAge":%s,"originalMaxAge":7,"expires":%s,"path":%q}`,
						`{"originalMaxAge":%s,"expires":%s,"path":%q,"originalMaxAge":7}`, `{"originalMaxAge": %s,"expires":%s,"path":%q}`} {
						text := fmt.Appendf(nil, form, age, date, path)
						got, l, ends, err := r.read(text)
						want, wantL, wantEnds, wantErr := parse(text)
						if !reflect.DeepEqual(got, want) || l != wantL || ends != wantEnds || (err == nil) != (wantErr == nil) {
							t.Errorf("%s is read as %v %v %v %v, is %v %v %v %v", text, got, l, ends, err, want, wantL, wantEnds, wantErr)
						}
					}
				}
			}
		}
	}
	parses = 0
	for i := range 100 {
		if _, _, _, err := r.read(fmt.Appendf(nil, `{"originalMaxAge":%d,"expires":"2026-01-08T00:00:00.%03dZ","path":"/b"}`, i, i)); err != nil {
			t.Error(err)
		}
	}
	if parses != 0 {
		t.Errorf("%d of 100 cookies with known settings were parsed", parses)
	}
}

// What scan takes apart in one pass is what is taken apart in several.
func TestOnePassReadsWhatSeveralRead(t *testing.T) {
	t.Parallel()
	onePass[fuzzed](t)
	onePass[map[string]any](t)
	onePass[map[string]json.RawMessage](t)
	onePass[aField](t)
}

func onePass[T any](t *testing.T) {
	t.Helper()
	c, err := sealingCodec[T]()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{"cookie":{},"name":"ada","count":1,"visits":3}`, `{"cookie":{}}`, `{"cookie":{},"count":1,"__nestsession":{"ended":true}}`,
		`{"cookie":{},"count":1,"other":{"a":[1,2]},"name":"x","more":null}`, `{"count":1,"cookie":{},"name":"x"}`, `{"__nestsession":{"ended":true},"cookie":{},"count":1}`,
		` { "cookie" : {} , "count" : 1 } `, `{"cookie":{},"Count":1,"NAME":"x"}`, `{"cookie":{},"count":1e3,"visits":2.0}`, `{"cookie":{},"any":[9007199254740993,1e400]}`,
	} {
		one := &Document[T]{Data: []byte(text)}
		p, usual := c.scan(one, nil)
		if !usual || !c.fillUsual(one, &p) {
			continue
		}
		several := &Document[T]{Data: []byte(text)}
		q, err := c.takeApart([]byte(text))
		if err == nil {
			err = c.fill(several, q.others)
		}
		if err != nil || !bytes.Equal(p.cookie, q.cookie) || !bytes.Equal(p.meta, q.meta) || !reflect.DeepEqual(one.Value, several.Value) {
			t.Errorf("%s is read as %+v, is %+v (%v)", text, one.Value, several.Value, err)
		}
		if one.to > 0 && string(one.Data[one.from:one.to]) != strings.TrimPrefix(string(joined(&c, one, t)), ",") {
			t.Errorf("of %s the members are %s", text, one.Data[one.from:one.to])
		}
	}
}

func joined[T any](c *Codec[T], d *Document[T], t *testing.T) (text []byte) {
	others, err := c.others(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range others {
		text = append(append(text, ','), m.Text...)
	}
	return text
}
