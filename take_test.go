package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nestsession/session"
)

// takeTags takes all tags out, and returns them.
func takeTags(a *account) []string {
	tags := a.Tags
	a.Tags = nil
	return tags
}

// putTags stores tags in a browser's session.
func putTags(m *session.Manager[account], b *browser, tags ...string) {
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Tags, a.Keys = slices.Clone(tags), map[string]bool{"stored": true} })
	})
}

// Of requests that have all seen a one-time value exactly one gets it.
func TestTakeGivesAValueToOneOfMany(t *testing.T) {
	t.Parallel()
	const n = 20
	store := newHooked(t)
	m := newManager[account](t, session.Config{Store: store})
	b := newBrowser()
	putTags(m, b, "once")
	store.calls()
	var seen, answered sync.WaitGroup
	seen.Add(n)
	var got atomic.Int64
	for range n {
		answered.Go(func() {
			do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				if len(s.Data().Tags) != 1 {
					t.Error("a request came too late to be part of it")
				}
				seen.Done()
				seen.Wait()
				tags, err := session.Take(r.Context(), s, takeTags)
				if err != nil {
					t.Errorf("Take: %v", err)
				}
				got.Add(int64(len(tags)))
				if left := s.Data().Tags; len(left) != 0 {
					t.Errorf("after Take the request sees %q", left)
				}
			})
		})
	}
	answered.Wait()
	if got.Load() != 1 {
		t.Errorf("%d requests got it", got.Load())
	}
	if updates := strings.Count(fmt.Sprint(store.calls()), "update"); updates > n {
		t.Errorf("%d writes were tried: who finds it taken has nothing to write", updates)
	}
}

func TestTakeOfNothingWritesNothing(t *testing.T) {
	t.Parallel()
	kept := newHooked(t)
	m := newManager[account](t, session.Config{Store: kept})
	stored := newBrowser()
	putTags(m, stored)
	for name, b := range map[string]*browser{"a new visitor": newBrowser(), "a stored session": stored} {
		kept.calls()
		before := b.cookie()
		res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if tags, err := session.Take(r.Context(), s, takeTags); tags != nil || err != nil {
				t.Errorf("%s: got %q, %v", name, tags, err)
			}
		})
		for _, op := range kept.calls() {
			if op != "load" {
				t.Errorf("%s: the store was asked to %s", name, op)
			}
		}
		if b.cookie() != before || len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s got a cookie", name)
		}
	}
}

// What found nothing is not run again when the request is saved: it would take what
// another request has put there meanwhile, and nobody would get it.
func TestTakeOfNothingTakesNothingLater(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	putTags(m, b)
	do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if tags, err := session.Take(r.Context(), s, takeTags); tags != nil || err != nil {
			t.Errorf("got %q, %v", tags, err)
		}
		putTags(m, b, "kept")
		s.Update(func(a *account) { a.Count++ }) // meets the other's save
	})
	if a := peek(m, b); a.Count != 1 || !slices.Equal(a.Tags, []string{"kept"}) {
		t.Errorf("stored is %+v", a)
	}
}

// A visitor without a session gets one if there is something to keep, before the
// response and with its cookie.
func TestTakeStoresANewSession(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		first, err := session.Take(r.Context(), s, func(a *account) bool { a.Count++; return a.Count == 1 })
		if !first || err != nil || s.IsNew() {
			t.Errorf("got %v, %v; new %v", first, err, s.IsNew())
		}
	})
	if peek(m, b).Count != 1 {
		t.Error("nothing was stored")
	}
}

// Other changes of the request go with what is taken, or stay for later.
func TestTakeAmongOtherUpdates(t *testing.T) {
	t.Parallel()
	kept := newHooked(t)
	m := newManager[account](t, session.Config{Store: kept})
	for _, tags := range [][]string{{"a", "b"}, nil} {
		b := newBrowser()
		putTags(m, b, tags...)
		do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count = 41 })
			do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.User = &user{Name: "ada"} })
			})
			kept.calls()
			got, err := session.Take(r.Context(), s, takeTags)
			if !slices.Equal(got, tags) || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tags)
			}
			if wrote := slices.Contains(kept.calls(), "update"); wrote != (tags != nil) {
				t.Errorf("with %q stored: written %v", tags, wrote)
			}
			s.Update(func(a *account) { a.Count++ })
			if n := s.Data().Count; n != 42 {
				t.Errorf("the request sees %d", n)
			}
		})
		if a := peek(m, b); a.Count != 42 || a.name() != "ada" || len(a.Tags) != 0 {
			t.Errorf("stored is %+v", a)
		}
	}
}

// The value is lost to another request, and what the request has changed besides is not.
func TestTakeThatLosesKeepsOtherUpdates(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	putTags(m, b, "once")
	do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
		putTags(m, b) // takes it away
		if tags, err := session.Take(r.Context(), s, takeTags); tags != nil || err != nil {
			t.Errorf("got %q, %v", tags, err)
		}
		putTags(m, b, "another")
		if n := s.Data().Count; n != 1 {
			t.Errorf("the request sees %d", n)
		}
	})
	if a := peek(m, b); a.Count != 1 || !slices.Equal(a.Tags, []string{"another"}) {
		t.Errorf("stored is %+v", a)
	}
}

// A save that fails gives nobody anything, and is not made up for behind the handler's back.
func TestTakeThatFails(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]int{"at once": 1, "after a conflict": 2} {
		kept := newHooked(t)
		m := newManager[account](t, session.Config{Store: kept})
		b := newBrowser()
		putTags(m, b, "once")
		do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
			putTags(m, b, "once", "more")
			n := 0
			kept.before = func(_ context.Context, op, _ string) error {
				if op == "update" {
					if n++; n >= from {
						return errDown
					}
				}
				return nil
			}
			if tags, err := session.Take(r.Context(), s, takeTags); tags != nil || !errors.Is(err, errDown) {
				t.Errorf("%s: got %q, %v", name, tags, err)
			}
			kept.before = nil
			if a := s.Data(); a.Count != 1 || len(a.Tags) == 0 {
				t.Errorf("%s: the request sees %+v", name, a)
			}
		})
		if a := peek(m, b); a.Count != 1 || !slices.Equal(a.Tags, []string{"once", "more"}) {
			t.Errorf("%s: stored is %+v", name, a)
		}
	}
}

func TestTakeFromASessionThatHasEnded(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	for name, end := range map[string]func(*browser, *http.Request, *session.Session[account]) error{
		"here": func(_ *browser, r *http.Request, s *session.Session[account]) error { return s.Destroy(r.Context()) },
		"elsewhere": func(b *browser, _ *http.Request, _ *session.Session[account]) error {
			do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) })
			return nil
		},
		"out of the request": func(_ *browser, _ *http.Request, s *session.Session[account]) error { s.Discard(); return nil },
	} {
		b := newBrowser()
		putTags(m, b, "once")
		do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if err := end(b, r, s); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if tags, err := session.Take(r.Context(), s, takeTags); tags != nil || !errors.Is(err, session.ErrRevoked) {
				t.Errorf("%s: got %q, %v", name, tags, err)
			}
		})
	}
}

// What cannot be run again cannot be taken.
func TestTakeNeedsAFunctionThatCanBeRepeated(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	putTags(m, b, "once")
	n := 0
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		_, err := session.Take(r.Context(), s, func(a *account) int { n++; a.Count = n; return n })
		if !errors.Is(err, session.ErrUnrepeatable) {
			t.Errorf("Take: %v", err)
		}
	})
	if a := peek(m, b); a.Count != 0 {
		t.Errorf("stored is %+v", a)
	}
}

// The result is the caller's: changing it reaches no other request's data.
func TestTakeGivesTheResultAway(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	putTags(m, b, "mine")
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		tags, err := session.Take(r.Context(), s, func(a *account) []string { a.Count++; return a.Tags })
		if err != nil {
			t.Errorf("Take: %v", err)
		}
		tags[0] = "spoiled"
	})
	if a := peek(m, b); a.Count != 1 || a.Tags[0] != "mine" {
		t.Errorf("stored is %+v", a)
	}
}

// A request whose save has met another one's and failed sees its own changes, and saves
// them at its end.
func TestDataAfterASaveThatMetAnotherAndFailed(t *testing.T) {
	t.Parallel()
	kept := newHooked(t)
	m := newManager[account](t, session.Config{Store: kept})
	b := newBrowser()
	putTags(m, b)
	do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
		putTags(m, b, "theirs")
		n := 0
		kept.before = func(_ context.Context, op, _ string) error {
			if op == "update" {
				if n++; n > 1 {
					return errDown
				}
			}
			return nil
		}
		if err := s.Save(r.Context()); !errors.Is(err, errDown) {
			t.Errorf("Save: %v", err)
		}
		kept.before = nil
		if a := s.Data(); a.Count != 1 || len(a.Tags) != 1 {
			t.Errorf("the request sees %+v", a)
		}
	})
	if a := peek(m, b); a.Count != 1 || len(a.Tags) != 1 {
		t.Errorf("stored is %+v", a)
	}
}
