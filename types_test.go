package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
)

type (
	namedMap map[string]any
	cookied  struct {
		C int `json:"cookie"`
	}
	partly struct {
		Name  string
		token string
	}
)

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

// Each rule has a case here. All types are in internal/document.
func TestNewRefusesTypesThatCannotBeStored(t *testing.T) {
	t.Parallel()
	refused[*account](t, "write New[session_test.account]")
	refused[struct{ C chan int }](t, "chan int")
	refused[cookied](t, `"cookie"`)
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

// More types are in internal/replay.
func TestTypesThatCanBeStored(t *testing.T) {
	t.Parallel()
	accepted(t, func(v *namedMap) { (*v)["k"] = []any{1, "x", nil, true, 2.5} },
		func(v namedMap) bool { return fmt.Sprint(v) == "map[k:[1 x <nil> true 2.5]]" })
	at := time.Date(2026, 3, 1, 12, 30, 0, 123456789, time.FixedZone("", 9*3600))
	accepted(t, func(v *assorted) { v.At, v.Name = at, "<b>&\u2028\"\\\x00é漢🎉" },
		func(v assorted) bool { return v.At.Equal(at) && v.Name == "<b>&\u2028\"\\\x00é漢🎉" })
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
