package session_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// "Save replays even without a conflict, so a function that is not repeatable, or a
// change made outside Update, fails its first unit test and not its first race."
func TestPromise03_WhatCannotBeReplayedFailsTheSave(t *testing.T) {
	t.Parallel()
	calls := 0
	counter := &user{Name: "shared"}
	tags := []string{"x"}
	for _, c := range []struct {
		name   string
		change func(*session.Session[account])
	}{
		{"a random source", func(s *session.Session[account]) {
			s.Update(func(a *account) { a.Count = int(rand.Int64()) })
		}},
		{"state of the handler", func(s *session.Session[account]) {
			s.Update(func(a *account) { calls++; a.Count = calls })
		}},
		{"a captured pointer", func(s *session.Session[account]) {
			s.Update(func(a *account) { counter.Visits++; a.User = counter })
		}},
		{"a captured slice", func(s *session.Session[account]) {
			s.Update(func(a *account) { tags[0] += "!"; a.Tags = tags })
		}},
		{"a function that works the first time only", func(s *session.Session[account]) {
			first := true
			s.Update(func(a *account) {
				if first {
					a.Count++
				}
				first = false
			})
		}},
		{"a pointer set the first time only", func(s *session.Session[account]) {
			s.Update(once(func(a *account) { a.User = &user{} }, func(a *account) { a.User = nil }))
		}},
		{"a pointer set the second time only", func(s *session.Session[account]) {
			s.Update(once(func(a *account) { a.User = nil }, func(a *account) { a.User = &user{} }))
		}},
		{"a slice that grows", func(s *session.Session[account]) {
			s.Update(once(func(a *account) { a.Tags = []string{"x"} }, func(a *account) { a.Tags = []string{"x", "y"} }))
		}},
		{"a slice that shrinks", func(s *session.Session[account]) {
			s.Update(once(func(a *account) { a.Tags = []string{"x", "y"} }, func(a *account) { a.Tags = nil }))
		}},
		{"a map that changes", func(s *session.Session[account]) {
			s.Update(once(func(a *account) { a.Keys = map[string]bool{"x": true} }, func(a *account) { a.Keys = map[string]bool{"x": false} }))
		}},
		{"what a pointer points to", func(s *session.Session[account]) {
			s.Update(once(func(a *account) { a.User = &user{Visits: 1} }, func(a *account) { a.User = &user{Visits: 2} }))
		}},
		{"a pointer in Data", func(s *session.Session[account]) { s.Data().User.Name = "eve" }},
		{"a map in Data", func(s *session.Session[account]) { s.Data().Keys["admin"] = true }},
		{"a slice in Data", func(s *session.Session[account]) { s.Data().Tags[0] = "admin" }},
		{"Data beside Update", func(s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
			s.Data().User.Name = "eve"
		}},
		{"Data before Update", func(s *session.Session[account]) {
			s.Data().User.Name = "eve"
			s.Update(func(a *account) { a.Count++ })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{})
			b := newBrowser()
			full(t, m, b)
			var got error
			res := do(m, b, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				c.change(s)
				got = s.Save(r.Context())
				w.Header().Set("X-From", "the handler")
				_, _ = w.Write([]byte("the page"))
			})
			if !errors.Is(got, session.ErrUnrepeatable) {
				t.Errorf("Save returned %v, want ErrUnrepeatable", got)
			}
			wantErrorAlone(t, res, http.StatusInternalServerError)
			if data := peek(m, b); data.Count != 1 || data.name() != "ada" || data.Keys["admin"] || data.Tags[0] != "first" {
				t.Errorf("the store has %+v", data)
			}
		})
	}
}

// once does the one thing the first time, and the other thereafter.
func once(first, then func(*account)) func(*account) {
	again := false
	return func(a *account) {
		if again {
			then(a)
			return
		}
		again = true
		first(a)
	}
}

// full stores a session with something in every part of its data.
func full(t *testing.T, m *session.Manager[account], b *browser) {
	t.Helper()
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) {
			*a = account{User: &user{Name: "ada"}, Count: 1, Keys: map[string]bool{"k": true}, Tags: []string{"first"}}
		})
	})
}

// What is repeatable passes, however odd it looks.
func TestPromise03_WhatCanBeReplayedPasses(t *testing.T) {
	t.Parallel()
	now, pick := time.Now(), rand.Int()
	seen := make([]string, 0, 8)
	for _, c := range []struct {
		name   string
		change func(*session.Session[account])
		want   func(account) bool
	}{
		{"values captured before", func(s *session.Session[account]) {
			s.Update(func(a *account) { a.Count, a.Tags = pick, []string{now.String()} })
		}, func(a account) bool { return a.Count == pick && a.Tags[0] == now.String() }},
		{"a captured pointer that later functions change", func(s *session.Session[account]) {
			u := &user{Name: "bob"}
			s.Update(func(a *account) { a.User = u })
			s.Update(func(a *account) { a.User.Visits++ })
			s.Update(func(a *account) { a.User.Visits++ })
		}, func(a account) bool { return a.User.Visits == 2 }},
		{"a captured slice with room that later functions append to", func(s *session.Session[account]) {
			s.Update(func(a *account) { a.Tags = seen })
			s.Update(func(a *account) { a.Tags = append(a.Tags, "one") })
			s.Update(func(a *account) { a.Tags = append(a.Tags, "two") })
		}, func(a account) bool { return slices.Equal(a.Tags, []string{"one", "two"}) }},
		{"a captured map that later functions change", func(s *session.Session[account]) {
			keys := map[string]bool{"a": true}
			s.Update(func(a *account) { a.Keys = keys })
			s.Update(func(a *account) {
				if a.Keys["b"] = !a.Keys["b"]; a.Keys["b"] {
					a.Count = 7
				}
			})
		}, func(a account) bool { return a.Keys["b"] && a.Count == 7 }},
		{"a captured pointer that the handler changes afterwards", func(s *session.Session[account]) {
			u := &user{Name: "bob"}
			s.Update(func(a *account) { a.User = &user{Name: u.Name} })
		}, func(a account) bool { return a.name() == "bob" }},
		{"taking apart and putting together", func(s *session.Session[account]) {
			s.Update(func(a *account) { a.Tags = append([]string{}, a.Tags...) })
			s.Update(func(a *account) { a.User = nil })
			s.Update(func(a *account) { a.User = &user{Name: "carl"} })
		}, func(a account) bool { return a.name() == "carl" && len(a.Tags) == 1 }},
		{"empty and nil collections", func(s *session.Session[account]) {
			s.Update(func(a *account) { a.Tags, a.Keys = []string{}, map[string]bool{} })
			_ = s.Data()
			s.Update(func(a *account) { a.Count++ })
		}, func(a account) bool { return len(a.Tags) == 0 && len(a.Keys) == 0 && a.Count == 2 }},
		{"empty collections alone", func(s *session.Session[account]) {
			s.Update(func(a *account) { a.Tags, a.Keys = []string{}, map[string]bool{} })
		}, func(a account) bool { return len(a.Tags) == 0 && len(a.Keys) == 0 && a.Count == 1 }},
		{"reading", func(s *session.Session[account]) {
			for range 3 {
				_ = s.Data().User.Name
			}
		}, func(a account) bool { return a.Count == 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{})
			b := newBrowser()
			full(t, m, b)
			res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				c.change(s)
				if err := s.Save(r.Context()); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
			if res.StatusCode != http.StatusOK {
				t.Errorf("answered %d", res.StatusCode)
			}
			if data := peek(m, b); !c.want(data) {
				t.Errorf("the store has %+v, user %+v", data, data.User)
			}
		})
	}
}

// A time with a monotonic reading, a number in an interface: what a store gives
// back is alike but not the same to reflection, and must not count as a change.
func TestPromise03_ValuesThatAStoreGivesBackAlikeAreNoChange(t *testing.T) {
	t.Parallel()
	now := time.Now()
	zone := time.FixedZone("odd", 5*3600+1800)
	m := newManager[assorted](t, session.Config{})
	b := newBrowser()
	for range 3 {
		res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[assorted]) {
			at := now.In(zone)
			s.Update(func(c *assorted) {
				c.At, c.Ptr, c.All = at, &at, []time.Time{at, now}
				c.Addr = netip.MustParseAddr("fe80::1%eth0")
				c.Any = map[string]any{"n": 1, "f": 2.5, "list": []int{1, 2}}
				c.Floats, c.Bytes = []float64{0.1, 1e300}, []byte("bytes")
				c.ByNum = map[int]time.Time{-3: at}
			})
			_ = s.Data()
			if err := s.Save(r.Context()); err != nil {
				t.Errorf("Save: %v", err)
			}
			s.Update(func(c *assorted) { c.Floats = append(c.Floats, 3) })
			if err := s.Save(r.Context()); err != nil {
				t.Errorf("second Save: %v", err)
			}
		})
		if res.StatusCode != http.StatusOK {
			t.Fatalf("answered %d", res.StatusCode)
		}
	}
	if got := peek(m, b); !got.At.Equal(now) || !got.All[1].Equal(now) || !got.ByNum[-3].Equal(now) {
		t.Errorf("the store has %+v", got)
	}
}

// Update says that fn may be called several times, and it is.
func TestPromise03_UpdateRunsItsFunctionAgain(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	calls := 0
	do(m, newBrowser(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { calls++; a.Count = 1 })
		if calls != 1 || s.Data().Count != 1 {
			t.Errorf("after Update fn ran %d times and Data shows %d, want 1 and 1", calls, s.Data().Count)
		}
		if err := s.Save(context.Background()); err != nil {
			t.Errorf("Save: %v", err)
		}
	})
	if calls != 2 {
		t.Errorf("fn ran %d times, want 2: once for the view, once for the save", calls)
	}
}
