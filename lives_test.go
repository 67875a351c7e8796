package session_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/nestsession/session"
)

// kept is what the model has in place of a record.
type kept struct{ count int }

// life is the model of what a request has: the record of its session, if a store has
// it, and its view of the data.
type life struct {
	state  string // new, stored, ended, discarded
	rec    *kept
	view   int
	client *kept // what the client's cookie leads to after the response
}

// does one step of a request on the session and on the model, and returns what the
// session's method returned and what it should have.
var steps = []struct {
	name string
	does func(r *http.Request, s *session.Session[account], l *life) (got, want error)
}{
	{"update", func(_ *http.Request, s *session.Session[account], l *life) (error, error) {
		s.Update(func(a *account) { a.Count++ })
		if l.state == "new" || l.state == "stored" {
			l.view++
		}
		return nil, nil
	}},
	{"save", func(r *http.Request, s *session.Session[account], l *life) (error, error) {
		err := s.Save(r.Context())
		switch l.state {
		case "new":
			l.state, l.rec = "stored", &kept{l.view}
			l.client = l.rec
		case "stored":
			l.rec.count = l.view
		default:
			return err, session.ErrRevoked
		}
		return err, nil
	}},
	{"reload", func(r *http.Request, s *session.Session[account], l *life) (error, error) {
		err := s.Reload(r.Context())
		switch l.state {
		case "new":
			return err, session.ErrNotSaved
		case "stored":
			l.view = l.rec.count
			return err, nil
		}
		return err, session.ErrRevoked
	}},
	{"renew", func(r *http.Request, s *session.Session[account], l *life) (error, error) {
		err := s.Renew(r.Context())
		switch l.state {
		case "new":
			return err, nil
		case "stored":
			l.rec.count = l.view
			return err, nil
		}
		return err, session.ErrRevoked
	}},
	{"regenerate", func(r *http.Request, s *session.Session[account], l *life) (error, error) {
		err := s.Regenerate(r.Context())
		if l.state == "discarded" {
			return err, session.ErrRevoked
		}
		*l = life{state: "new"}
		return err, nil
	}},
	{"destroy", func(r *http.Request, s *session.Session[account], l *life) (error, error) {
		err := s.Destroy(r.Context())
		*l = life{state: "ended"}
		return err, nil
	}},
	{"discard", func(_ *http.Request, s *session.Session[account], l *life) (error, error) {
		s.Discard()
		l.state, l.view = "discarded", 0
		return nil, nil
	}},
	{"touch", func(_ *http.Request, s *session.Session[account], _ *life) (error, error) { s.Touch(); return nil, nil }},
	{"look", func(_ *http.Request, s *session.Session[account], l *life) (error, error) {
		view := l.view
		if l.state == "ended" || l.state == "discarded" {
			view = 0
		}
		if got := s.Data().Count; got != view {
			return fmt.Errorf("the view is %d", got), fmt.Errorf("the view is %d", view)
		}
		if s.IsNew() != (l.state == "new") {
			return fmt.Errorf("new: %v", s.IsNew()), fmt.Errorf("new: %v", !s.IsNew())
		}
		return nil, nil
	}},
}

// TestLives lets a client make requests that do what comes to their mind, in every
// order, and compares with a small model what the methods return, what the
// request sees, and what the client finds at its next visit.
func TestLives(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1500) {
		s := newHooked(t)
		m := newManager[account](t, session.Config{Store: s})
		r := rand.New(rand.NewPCG(seed, 1))
		b := newBrowser()
		var client *kept
		var story []string
		for range 4 {
			l := &life{state: "new"}
			if client != nil {
				l = &life{state: "stored", rec: client, view: client.count, client: client}
			}
			res := do(m, b, func(_ http.ResponseWriter, req *http.Request, ses *session.Session[account]) {
				for range r.IntN(6) {
					step := steps[r.IntN(len(steps))]
					story = append(story, step.name)
					got, want := step.does(req, ses, l)
					if fmt.Sprint(got) != fmt.Sprint(want) && !errors.Is(got, want) {
						t.Fatalf("%s: returned %v, want %v", strings.Join(story, " "), got, want)
					}
				}
			})
			if res.StatusCode != http.StatusOK {
				t.Fatalf("%s: answered %d", strings.Join(story, " "), res.StatusCode)
			}
			switch {
			case l.state == "new" && l.view > 0:
				l.client = &kept{l.view}
			case l.state == "stored":
				l.rec.count = l.view
				l.client = l.rec
			case l.state == "discarded":
				if client == nil || l.client != client {
					l.client = nil // the response has no cookie: what the client had is gone, or is as it was
				}
			}
			if client = l.client; client == nil {
				b = newBrowser() // what a cookie of an ended session does is promise 13
			}
			story = append(story, "/")
			want := 0
			if client != nil {
				want = client.count
			}
			if got := peek(m, b).Count; got != want {
				t.Fatalf("%s the client finds %d, want %d", strings.Join(story, " "), got, want)
			}
		}
	}
}
