package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"github.com/nestsession/session/internal/clone"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Types that are odd in the one way or the other.
type (
	leaf struct {
		S string `json:"s"`
		N int64  `json:"n,string"`
	}
	twice struct { // the same type in several places
		A, B *leaf
		C    []leaf
		D    map[string]leaf
		E    map[string]*leaf
		F    [2]*leaf
	}
	plain struct {
		B   bool
		I   int8
		U   uint64
		F32 float32
		F64 float64
		S   string `json:"s,omitempty"`
	}
	optional struct {
		L []int          `json:"l,omitempty"`
		M map[string]int `json:"m,omitempty"`
		P *int           `json:"p,omitempty"`
		Z time.Time      `json:"z,omitzero"`
		T time.Time      `json:"t,omitempty"`
		S []string       `json:"s,omitzero"`
		A any            `json:"a,omitempty"`
	}
	dynamic struct {
		A any
		L []any
		M map[string]any
		N map[string]map[string]any
		P *any
	}
	network struct {
		A netip.Addr
		P netip.Prefix
		U url.URL
		R *url.URL
	}
	raw struct {
		R json.RawMessage `json:"r,omitempty"`
		N json.Number     `json:"n,omitempty"`
	}
	tree struct {
		Name string
		Kids []tree           `json:"kids,omitempty"`
		By   map[string]*tree `json:"by,omitempty"`
	}
	withParent struct {
		Name   string
		Kids   []*withParent `json:"kids,omitempty"`
		Parent *withParent   `json:"-"`
	}
	shadowed struct {
		Leaf
		*Leaf2
		S string `json:"own"`
	}
	Leaf   struct{ S, Only string }
	Leaf2  struct{ Only2 []string }
	hiding struct { // embedded by value, beside others
		Leaf
		T string
	}
	hidingAll struct{ lower } // whose fields are encoded even so
	lower     struct{ L []int }
	transient struct { // has what is not stored
		S     string
		Cache []int `json:"-"`
		own   int   `json:"-"`
	}
	byNum  struct{ M map[int16][]byte }
	byText struct{ M map[lowerKey]int }
	byAddr struct{ M map[netip.Addr]string }
	loud   struct{ S shout }
	quiet  struct{ S whisper }
	shout  struct{ S string } // is not what was put in when it comes back
	// whisper is the same by way of text.
	whisper    struct{ S string }
	hiddenZero struct {
		D daysOff `json:"d,omitzero"`
	}
	filled struct { // decoders that fill what encoding/json does not see
		Private private
		Skipped skipped
		Big     *big.Int
		Ptr     *private
	}
)

func (l *lower) scramble() {
	for i := range l.L {
		l.L[i] = -1
	}
}

func (s shout) MarshalJSON() ([]byte, error)  { return json.Marshal(strings.ToUpper(s.S)) }
func (s *shout) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &s.S) }

func (s whisper) MarshalText() ([]byte, error)  { return []byte(strings.ToLower(s.S)), nil }
func (s *whisper) UnmarshalText(b []byte) error { s.S = string(b); return nil }

type lowerKey string

func (k *lowerKey) UnmarshalText(b []byte) error {
	*k = lowerKey(strings.ToLower(string(b)))
	return nil
}
func (k lowerKey) MarshalText() ([]byte, error) { return []byte(k), nil }

// daysOff counts a value as zero that is not.
type daysOff []int

func (d daysOff) IsZero() bool { return len(d) == 0 || d[0] == 0 }

// private keeps its data in a field that reflection cannot set.
type private struct{ tags map[string]int }

func (p private) MarshalJSON() ([]byte, error)     { return json.Marshal(p.tags) }
func (p *private) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &p.tags) }
func (p *private) scramble() {
	for k := range p.tags {
		p.tags[k] = -1
	}
	if p.tags != nil {
		p.tags["scrambled"] = 1
	}
}

// skipped keeps its data in a field that encoding/json passes over.
type skipped struct {
	Tags map[string]int `json:"-"`
}

func (p skipped) MarshalJSON() ([]byte, error)     { return json.Marshal(p.Tags) }
func (p *skipped) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &p.Tags) }

// TestCopies: a document that was composed is what decoding its text gives, and
// Shares nothing with the value that it was made of, with the copies that requests
// get, or with what these do to each other.
func TestCopies(t *testing.T) {
	t.Parallel()
	copies[plain](t)
	copies[twice](t)
	copies[optional](t)
	copies[dynamic](t)
	copies[network](t)
	copies[raw](t)
	copies[tree](t)
	copies[withParent](t)
	copies[shadowed](t)
	copies[hiding](t)
	copies[hidingAll](t)
	copies[transient](t)
	copies[struct{ S skipped }](t)
	copies[byNum](t)
	copies[byText](t)
	copies[byAddr](t)
	copies[loud](t)
	copies[quiet](t)
	copies[struct{ K []shout }](t)
	copies[struct{ P *whisper }](t)
	copies[hiddenZero](t)
	copies[filled](t)
	copies[map[string]any](t)
	copies[map[string]string](t)
	copies[map[lowerKey][]*leaf](t)
	copies[struct{ T []*time.Time }](t)
	copies[struct{ P ***leaf }](t)
	copies[struct{ B [][][]byte }](t)
	copies[struct{ A [2][2][]int }](t)
}

func copies[T any](t *testing.T) {
	t.Run(strings.TrimPrefix(reflect.TypeFor[T]().String(), "session."), func(t *testing.T) {
		t.Parallel()
		c, err := sealingCodec[T]()
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 2))
		stored := 0
		for i := range 200 {
			var x T
			fill(r, reflect.ValueOf(&x).Elem(), 4)
			if copied(t, &c, fmt.Sprint("k", i), x) {
				stored++
			}
			if t.Failed() {
				return
			}
		}
		if stored == 0 {
			t.Error("every value was refused")
		}
	})
}

// copied is false if x is of the kind that a save refuses.
func copied[T any](t *testing.T, c *Codec[T], key string, x T) bool {
	t.Helper()
	value := x
	err := c.Detach(&value)
	if err != nil {
		if !errors.Is(err, clone.ErrUnstorable) {
			t.Fatalf("detaching %+v: %v", x, err)
		}
		return false
	}
	body, err := c.Encode(&value)
	if err == nil {
		err = c.Normalize(&value, body)
	}
	if err != nil {
		if !errors.Is(err, clone.ErrUnstorable) {
			t.Fatalf("encoding %+v: %v", x, err)
		}
		return false
	}
	const cookie = `{"originalMaxAge":null}`
	d, err := c.Compose(c.Empty, key, &value, body, []byte(cookie), cookie, Lifetime{}, Meta{}, Opener{})
	if err != nil {
		t.Fatalf("composing %+v: %v", x, err)
	}
	text := string(d.Data)

	fresh, err := sealingCodec[T]()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := fresh.Decode(key, d.Data)
	if err != nil {
		t.Fatalf("decoding %s: %v", text, err)
	}
	if !alike(reflect.ValueOf(d.Value), reflect.ValueOf(decoded.Value)) {
		t.Errorf("composed\n%#v\ndecoded\n%#v\nof %s", d.Value, decoded.Value, text)
	}
	again, err := c.Encode(&d.Value)
	if err != nil || !sameJSON(again, body) {
		t.Errorf("encoded again as\n%s\nat first as\n%s (%v)", again, body, err)
	}

	check := func(whose string, d *Document[T]) {
		t.Helper()
		now, err := c.Encode(&d.Value)
		if err != nil || string(now) != string(again) {
			t.Errorf("changing %s changed the document:\n%s\nwas\n%s (%v)", whose, now, again, err)
		}
	}
	scramble(reflect.ValueOf(&x).Elem(), 0)
	check("the value that it was made of", d)
	for _, d := range []*Document[T]{d, decoded} {
		var a, b T
		if err := c.Copy(d, &a); err != nil {
			t.Fatal(err)
		}
		if err := c.Copy(d, &b); err != nil {
			t.Fatal(err)
		}
		if !c.Same(&a, &b) || !alike(reflect.ValueOf(a), reflect.ValueOf(d.Value)) {
			t.Errorf("copies differ:\n%#v\n%#v\n%#v", a, b, d.Value)
		}
		scramble(reflect.ValueOf(&a).Elem(), 0)
		check("a copy", d)
		if text, err := c.Encode(&b); err != nil || string(text) != string(again) {
			t.Errorf("changing a copy changed another:\n%s\nwas\n%s", text, again)
		}
		if err := c.Detach(&b); err != nil {
			t.Errorf("detaching a copy: %v", err)
		}
		if text, err := c.Encode(&b); err != nil || string(text) != string(again) {
			t.Errorf("detaching changed a copy:\n%s\nwas\n%s", text, again)
		}
		scramble(reflect.ValueOf(&b).Elem(), 0)
		check("a detached copy", d)
	}
	return true
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// fill puts random things into v.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = []time.Time{{}, time.Now(), time.Unix(r.Int64N(4e9), r.Int64N(1e9)).UTC(), time.Unix(r.Int64N(4e9), 0).In(time.FixedZone("x", r.IntN(20)*1800))}[r.IntN(4)]
		return
	case *netip.Addr:
		*p = []netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1%eth0")}[r.IntN(3)]
		return
	case *netip.Prefix:
		*p = []netip.Prefix{{}, netip.MustParsePrefix("10.0.0.1/8")}[r.IntN(2)]
		return
	case *url.URL:
		*p = url.URL{Scheme: "https", Host: "shop.test", Path: "/a b", RawQuery: "q=1"}
		return
	case *big.Int:
		p.Lsh(big.NewInt(r.Int64()), 70)
		return
	case *json.RawMessage:
		*p = []json.RawMessage{nil, []byte(`null`), []byte(`{"b":1,"a":[1.0,"x"]}`)}[r.IntN(3)]
		return
	case *json.Number:
		*p = []json.Number{"", "1", "1.50", "9007199254740993"}[r.IntN(4)]
		return
	case *private:
		p.tags = map[string]int{"a": r.IntN(9)}
		return
	case *transient:
		*p = transient{S: "s", Cache: []int{r.IntN(9)}, own: 1}
		return
	case *hidingAll:
		p.L = []int{r.IntN(9)}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(r.Int64() >> r.IntN(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> r.IntN(64))
	case reflect.Float32, reflect.Float64:
		v.SetFloat([]float64{0, 0.1, -1e-7, 1e21, float64(r.IntN(100)), 1 << 60, 123456.789}[r.IntN(7)])
	case reflect.String:
		v.SetString([]string{"", "a", "A", "é漢🎉", "<&>\u2028", "\x00\"\\", `\ufffd`, "\ufffd", "0"}[r.IntN(9)])
	case reflect.Pointer:
		if depth > 0 && r.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), depth-1)
		}
	case reflect.Slice:
		if depth > 0 && r.IntN(4) > 0 {
			v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 5))
			for i := range v.Len() {
				fill(r, v.Index(i), depth-1)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), depth-1)
		}
	case reflect.Map:
		if depth > 0 && r.IntN(4) > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range r.IntN(3) {
				key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				fill(r, key, 0)
				fill(r, elem, depth-1)
				v.SetMapIndex(key, elem)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() && v.Type().Field(i).Tag.Get("json") != "-" {
				fill(r, v.Field(i), depth)
			}
			if p, ok := v.Addr().Interface().(*skipped); ok {
				p.Tags = map[string]int{"a": r.IntN(9)}
			}
		}
	case reflect.Interface:
		v.Set(reflect.Zero(v.Type()))
		if any := anything(r, depth); any != nil {
			v.Set(reflect.ValueOf(any))
		}
	default:
		panic("fill: " + v.Type().String())
	}
}

// anything is what a handler may put into an interface.
func anything(r *rand.Rand, depth int) any {
	of := func(v reflect.Value) any { fill(r, v.Elem(), depth-1); return v.Elem().Interface() }
	if depth <= 0 {
		return r.IntN(100)
	}
	switch r.IntN(14) {
	case 0:
		return nil
	case 1:
		return true
	case 2:
		return 1 << 60
	case 3:
		return 0.5
	case 4:
		return json.Number("9007199254740993")
	case 5:
		return of(reflect.ValueOf(new(map[string]any)))
	case 6:
		return of(reflect.ValueOf(new([]any)))
	case 7:
		return of(reflect.ValueOf(new([]string)))
	case 8:
		return of(reflect.ValueOf(new(*leaf)))
	case 9:
		return of(reflect.ValueOf(new(twice)))
	case 10:
		return of(reflect.ValueOf(new(time.Time)))
	case 11:
		return map[int]any{1: "x"}
	case 12:
		return float64(1 << 60)
	}
	return "text"
}

// scramble changes everything that can be reached from v.
func scramble(v reflect.Value, depth int) {
	if depth > 12 {
		return
	}
	if v.CanAddr() {
		switch p := v.Addr().Interface().(type) {
		case *big.Int:
			p.SetInt64(-7)
			return
		case interface{ scramble() }:
			p.scramble()
			return
		case *time.Time, *netip.Addr, *netip.Prefix:
			v.Set(reflect.Zero(v.Type()))
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			scramble(v.Elem(), depth+1)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			scramble(v.Index(i), depth+1)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			scramble(v.MapIndex(key), depth+1)
			v.SetMapIndex(key, reflect.Value{})
		}
		if !v.IsNil() {
			v.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				scramble(v.Field(i), depth+1)
			}
		}
	default:
		if v.CanSet() {
			v.Set(reflect.Zero(v.Type()))
		}
	}
}

// alike is reflect.DeepEqual but for times, which are the same if they are the same
// Instant at the same offset.
func alike(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() || !a.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	if a.Type() == reflect.TypeFor[time.Time]() {
		x, y := a.Interface().(time.Time), b.Interface().(time.Time)
		_, p := x.Zone()
		_, q := y.Zone()
		return x.Equal(y) && p == q
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return alike(a.Elem(), b.Elem())
	case reflect.Slice, reflect.Array:
		if a.Kind() == reflect.Slice && a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !alike(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for _, key := range a.MapKeys() {
			if !alike(a.MapIndex(key), b.MapIndex(key)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if a.Type().Field(i).IsExported() && !alike(a.Field(i), b.Field(i)) {
				return false
			}
		}
		hidden := a.NumField() > 0 && !a.Type().Field(0).IsExported()
		return !hidden || reflect.DeepEqual(a.Interface(), b.Interface())
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
