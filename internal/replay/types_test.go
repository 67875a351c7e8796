package replay_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/internal/document"
)

type (
	embedded struct {
		ID   int    `json:"id"`
		Note string `json:"note,omitempty"`
	}
	withEmbedded struct {
		embedded
		Name string `json:"name"`
	}
	Shown struct {
		ID int `json:"id"`
	}
	withShown struct {
		Shown
		*Other
		Name string `json:"name"`
	}
	Other struct {
		Extra string `json:"extra,omitempty"`
	}
	mutualA struct {
		*MutualB
		A int
	}
	MutualB struct {
		*MutualC
		B int
	}
	MutualC struct {
		*MutualB
		C int
	}
	namedMap map[string]any
	namedKey string
	keyedMap map[namedKey]int
	idLike   [16]byte
	level    int
	nested   struct {
		Deep []string `json:"deep"`
	}
)

// object is encoded by hand as an object.
type object struct{ n int }

func (o object) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `{"n":%d}`, o.n), nil }
func (o *object) UnmarshalJSON(b []byte) error {
	var v struct{ N int }
	err := json.Unmarshal(b, &v)
	o.n = v.N
	return err
}

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

// accepted saves what change makes, and wants it back from this codec, which has seen it,
// and from another, which has to decode it.
func accepted[T any](t *testing.T, change func(*T), want func(T) bool) {
	t.Helper()
	t.Run(fmt.Sprint(reflect.TypeFor[T]()), func(t *testing.T) {
		t.Parallel()
		seen, decodes := newCodec[T](t), newCodec[T](t)
		doc := seen.Empty
		for range 2 {
			r := newRequest(seen, doc)
			_ = r.data()
			r.update(change)
			_ = r.data()
			if err := r.save(); err != nil {
				t.Fatalf("save: %v", err)
			}
			for _, c := range []*document.Codec[T]{seen, decodes} {
				place := c.Look("key")
				next, err := c.DecodeAt(place, "key", r.on.Doc.Data, 0, document.Opener{})
				if err != nil {
					t.Fatalf("decoding %s: %v", r.on.Doc.Data, err)
				}
				if got := newRequest(c, next).data(); !want(got) {
					t.Errorf("comes back as %+v", got)
				}
				if c == seen && next != r.on.Doc {
					t.Error("the codec that has composed it decodes it again")
				}
			}
			doc = r.on.Doc
		}
	})
}

func TestTypesThatCanBeStored(t *testing.T) {
	t.Parallel()
	accepted(t, func(v *struct{}) {}, func(struct{}) bool { return true })
	accepted(t, func(v *withEmbedded) { v.ID, v.Name, v.Note = 1, "n", "note" },
		func(v withEmbedded) bool { return v.ID == 1 && v.Name == "n" && v.Note == "note" })
	accepted(t, func(v *withShown) { v.ID, v.Other, v.Name = 1, &Other{"x"}, "n" },
		func(v withShown) bool { return v.ID == 1 && v.Other != nil && v.Extra == "x" && v.Name == "n" })
	accepted(t, func(v *struct {
		Shown `json:"shown"`
	}) {
		v.ID = 7
	}, func(v struct {
		Shown `json:"shown"`
	}) bool {
		return v.ID == 7
	})
	accepted(t, func(v *mutualA) { v.A = 1 }, func(v mutualA) bool { return v.A == 1 })
	accepted(t, func(v *namedMap) { (*v)["k"] = []any{1, "x", nil, true, 2.5} },
		func(v namedMap) bool { return fmt.Sprint(v) == "map[k:[1 x <nil> true 2.5]]" })
	accepted(t, func(v *keyedMap) { (*v)["k"] = 7 }, func(v keyedMap) bool { return v["k"] == 7 })
	accepted(t, func(v *map[string]string) { (*v)["k"] = "v" }, func(v map[string]string) bool { return v["k"] == "v" })
	accepted(t, func(v *map[string][]int) { (*v)["k"] = []int{1, 2} }, func(v map[string][]int) bool { return len(v["k"]) == 2 })
	accepted(t, func(v *object) { v.n = 7 }, func(v object) bool { return v.n == 7 })
	at := time.Date(2026, 3, 1, 12, 30, 0, 123456789, time.FixedZone("", 9*3600))
	accepted(t, func(v *struct{ At time.Time }) { v.At = at }, func(v struct{ At time.Time }) bool { return v.At.Equal(at) })
	accepted(t, func(v *struct{ At *time.Time }) { v.At = &at }, func(v struct{ At *time.Time }) bool { return v.At.Equal(at) })
	const large = 1<<63 - 1
	accepted(t, func(v *struct{ N int64 }) { v.N = large }, func(v struct{ N int64 }) bool { return v.N == large })
	accepted(t, func(v *struct{ N uint64 }) { v.N = 1<<64 - 1 }, func(v struct{ N uint64 }) bool { return v.N == 1<<64-1 })
	accepted(t, func(v *struct{ N *big.Int }) { v.N = new(big.Int).Lsh(big.NewInt(1), 200) },
		func(v struct{ N *big.Int }) bool { return v.N.BitLen() == 201 })
	accepted(t, func(v *struct{ N any }) { v.N = json.Number("9007199254740993") },
		func(v struct{ N any }) bool { return fmt.Sprint(v.N) == "9007199254740993" })
	accepted(t, func(v *struct{ N any }) { v.N = int64(large) }, func(v struct{ N any }) bool { return fmt.Sprint(v.N) == fmt.Sprint(int64(large)) })
	accepted(t, func(v *struct{ R json.RawMessage }) { v.R = json.RawMessage(`{"a":[1,2]}`) },
		func(v struct{ R json.RawMessage }) bool { return string(v.R) == `{"a":[1,2]}` })
	accepted(t, func(v *struct {
		F func() `json:"-"`
	}) {
	}, func(v struct {
		F func() `json:"-"`
	}) bool {
		return v.F == nil
	})
	accepted(t, func(v *struct{ S string }) { v.S = "<b>&\u2028\"\\\x00é漢🎉" }, func(v struct{ S string }) bool { return v.S == "<b>&\u2028\"\\\x00é漢🎉" })
	accepted(t, func(v *struct {
		A [3]*int
		B [][]byte
		C map[string]map[string]*int
	}) {
		n := 1
		v.A[1], v.B, v.C = &n, [][]byte{{1}, nil, {}}, map[string]map[string]*int{"a": {"b": &n}, "nil": nil}
	}, func(v struct {
		A [3]*int
		B [][]byte
		C map[string]map[string]*int
	}) bool {
		return *v.A[1] == 1 && v.A[0] == nil && len(v.B) == 3 && *v.C["a"]["b"] == 1
	})
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
		//lint:ignore U1000 NewCodec looks at it by reflection
		unused struct{}
		//lint:ignore U1000 NewCodec looks at it by reflection
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
