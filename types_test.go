package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
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
	cookied  struct {
		C int `json:"cookie"`
	}
	booked struct {
		C int `json:"__nestsession"`
	}
	inner struct {
		Cookie int `json:"cookie"`
	}
	embedsBad struct{ inner }
	text      string
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

// number is encoded by hand as something else.
type number struct{}

func (number) MarshalJSON() ([]byte, error) { return []byte("7"), nil }

func refused[T any](t *testing.T, advice string) {
	t.Helper()
	m, err := session.New[T](session.Config{Secrets: []string{secret}})
	if err == nil {
		_ = m.Close()
		t.Errorf("New[%v] was accepted", reflect.TypeFor[T]())
		return
	}
	if got := err.Error(); !strings.HasPrefix(got, "session: New[") || !strings.Contains(got, advice) {
		t.Errorf("New[%v]: %q, want the advice %q", reflect.TypeFor[T](), got, advice)
	}
}

func TestNewRefusesTypesThatCannotBeStored(t *testing.T) {
	t.Parallel()
	refused[*account](t, "write New[session_test.account]")
	refused[**account](t, "write a struct")
	refused[*map[string]any](t, "write a struct")
	refused[[]string](t, "write a struct")
	refused[string](t, "write a struct")
	refused[text](t, "write a struct")
	refused[int](t, "write a struct")
	refused[any](t, "write a struct")
	refused[error](t, "write a struct")
	refused[json.Marshaler](t, "write a struct")
	refused[func()](t, "write a struct")
	refused[chan int](t, "write a struct")
	refused[[2]int](t, "write a struct")
	refused[map[int]string](t, "write a struct")
	refused[map[string]chan int](t, "chan int")
	refused[struct{ C chan int }](t, "chan int")
	refused[struct{ F func() }](t, "func()")
	refused[struct{ C []complex128 }](t, "complex128")
	refused[struct{ P *struct{ F func() } }](t, "func()")
	refused[number](t, "something else than an object")
	refused[time.Time](t, "something else than an object")
	refused[cookied](t, `"cookie"`)
	refused[booked](t, `"__nestsession"`)
	refused[embedsBad](t, `"cookie"`)
}

// accepted stores what change makes, and wants it back from this manager, which has
// seen it, and from another, which has to decode it.
func accepted[T any](t *testing.T, change func(*T), want func(T) bool) {
	t.Helper()
	t.Run(fmt.Sprint(reflect.TypeFor[T]()), func(t *testing.T) {
		t.Parallel()
		s := newHooked(t)
		m := newManager[T](t, session.Config{Store: s})
		n := newManager[T](t, session.Config{Store: s})
		b := newBrowser()
		for range 2 {
			res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[T]) {
				_ = s.Data()
				s.Update(change)
				_ = s.Data()
				if err := s.Save(r.Context()); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
			if res.StatusCode != http.StatusOK {
				t.Fatalf("answered %d", res.StatusCode)
			}
			for _, m := range []*session.Manager[T]{m, n} {
				if got := peek(m, b); !want(got) {
					t.Errorf("comes back as %+v", got)
				}
			}
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

// A key that belongs to the stored form, or to a program that shares the store, fails
// the save of map data, and the client learns of it.
func TestReservedKeysInMapData(t *testing.T) {
	t.Parallel()
	m := newManager[map[string]any](t, session.Config{Express: session.ExpressOptions{ReservedKeys: []string{"toString"}}})
	for _, key := range []string{"cookie", "__nestsession", "toString"} {
		b := newBrowser()
		res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
			session.Put(s, key, 1)
			err := s.Save(r.Context())
			if !errors.Is(err, session.ErrReservedKey) || !strings.Contains(err.Error(), key) {
				t.Errorf("Save with the key %q: %v", key, err)
			}
		})
		if res.StatusCode != http.StatusInternalServerError || b.cookie() != "" {
			t.Errorf("the key %q was answered %d", key, res.StatusCode)
		}
	}
}

func TestASessionThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 1000} {
		m := newManager[account](t, session.Config{MaxBytes: limit})
		b := newBrowser()
		login(t, m, b, "ada")
		res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Tags = []string{strings.Repeat("x", max(limit, session.DefaultMaxBytes))} })
			if err := s.Save(r.Context()); !errors.Is(err, session.ErrTooLarge) {
				t.Errorf("Save: %v", err)
			}
		})
		if data := peek(m, b); res.StatusCode != http.StatusInternalServerError || data.name() != "ada" || data.Tags != nil {
			t.Errorf("answered %d, stored %d tags", res.StatusCode, len(data.Tags))
		}
	}
}
