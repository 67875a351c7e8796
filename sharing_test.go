package session_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/nestsession/session"
)

// No state is shared between requests (GO-2026-4489): whatever a handler keeps of its
// session and changes later, before or after its save or its end, no other request sees.
func TestNothingIsSharedBetweenRequests(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]func(r *http.Request, s *session.Session[account]) (vandal func()){
		"Data before a change": func(_ *http.Request, s *session.Session[account]) func() {
			data := s.Data()
			s.Update(func(a *account) { a.Count++ })
			return func() { vandalize(data) }
		},
		"Data after a change": func(_ *http.Request, s *session.Session[account]) func() {
			s.Update(func(a *account) { a.Count++ })
			data := s.Data()
			return func() { vandalize(data) }
		},
		"Data before and after a change": func(_ *http.Request, s *session.Session[account]) func() {
			before := s.Data()
			s.Update(func(a *account) { a.Count++ })
			after := s.Data()
			return func() { vandalize(before); vandalize(after) }
		},
		"Data after a save": func(r *http.Request, s *session.Session[account]) func() {
			s.Update(func(a *account) { a.Count++ })
			if err := s.Save(r.Context()); err != nil {
				t.Errorf("Save: %v", err)
			}
			data := s.Data()
			return func() { vandalize(data) }
		},
		"Data around a save": func(r *http.Request, s *session.Session[account]) func() {
			s.Update(func(a *account) { a.Count++ })
			data := s.Data()
			if err := s.Save(r.Context()); err != nil {
				t.Errorf("Save: %v", err)
			}
			vandalize(data)
			return func() {}
		},
		"Data of a reader": func(_ *http.Request, s *session.Session[account]) func() {
			data := s.Data()
			s.Update(func(a *account) { a.Count++ })
			s.Discard()
			return func() { vandalize(data) }
		},
		"what Update was given": func(_ *http.Request, s *session.Session[account]) func() {
			var given *account
			s.Update(func(a *account) { a.Count++; given = a })
			return func() { vandalize(*given) }
		},
		"what Update was given around a save": func(r *http.Request, s *session.Session[account]) func() {
			var given []*account
			s.Update(func(a *account) { a.Count++; given = append(given, a) })
			if err := s.Save(r.Context()); err != nil {
				t.Errorf("Save: %v", err)
			}
			for _, a := range given {
				vandalize(*a)
			}
			return func() {}
		},
		"what Update took in": func(_ *http.Request, s *session.Session[account]) func() {
			u, keys, tags := &user{Name: "ada"}, map[string]bool{"k": true}, []string{"first"}
			s.Update(func(a *account) { a.User, a.Keys, a.Tags = u, keys, tags })
			return func() { vandalize(account{User: u, Keys: keys, Tags: tags}) }
		},
		"what Update took in around a save": func(r *http.Request, s *session.Session[account]) func() {
			u, keys, tags := &user{Name: "ada"}, map[string]bool{"k": true}, []string{"first"}
			s.Update(func(a *account) { a.Count++; a.User, a.Keys, a.Tags = u, keys, tags })
			if err := s.Save(r.Context()); err != nil {
				t.Errorf("Save: %v", err)
			}
			vandalize(account{User: u, Keys: keys, Tags: tags})
			return func() {}
		},
		"what a renewal stored": func(r *http.Request, s *session.Session[account]) func() {
			u := &user{Name: "ada"}
			s.Update(func(a *account) { a.User = u })
			data := s.Data()
			if err := s.Renew(r.Context()); err != nil {
				t.Errorf("Renew: %v", err)
			}
			return func() { vandalize(data); u.Name = "vandal" }
		},
	} {
		for _, fresh := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/new session %v", name, fresh), func(t *testing.T) {
				t.Parallel()
				s := newHooked(t)
				m := newManager[account](t, session.Config{Store: s})
				other := newManager[account](t, session.Config{Store: s}) // which has nothing in memory
				b := newBrowser()
				if !fresh {
					full(t, m, b)
				}
				var vandal func()
				do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
					if fresh {
						s.Update(func(a *account) {
							*a = account{User: &user{Name: "ada"}, Keys: map[string]bool{"k": true}, Tags: []string{"first"}}
						})
					}
					vandal = keep(r, s)
				})
				vandal()
				for range 2 {
					got, want := peek(m, b), peek(other, b)
					if describe(got) != describe(want) || got.name() == "vandal" || got.Keys["vandal"] || len(got.Tags) > 0 && got.Tags[0] == "vandal" {
						t.Errorf("the next request sees %s, and the store has %s", describe(got), describe(want))
					}
					vandal()
				}
			})
		}
	}
}

func vandalize(a account) {
	if a.User != nil {
		a.User.Name = "vandal"
	}
	if a.Keys != nil {
		a.Keys["vandal"] = true
	}
	if len(a.Tags) > 0 {
		a.Tags[0] = "vandal"
	}
}

func describe(a account) string { return fmt.Sprint(a.name(), a.Count, a.Keys, a.Tags) }
