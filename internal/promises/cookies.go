package promises

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// lates are what the request that is answered last does.
var lates = map[string]action{"reads": read, "touches": touch, "changes": add("late"), "saves by hand": addAndSave("late")}

// NeverTakesANewerCookieAway is promise 13: a request whose session was superseded or
// ended by another request sends no cookie.
func NeverTakesANewerCookieAway(t *testing.T, env Env) {
	for name, c := range map[string]struct {
		first   action
		user    string // who is logged in at the end
		deletes bool   // under the preset the old id is unknown at once, as in express-session
	}{
		"a login":       {login("ada"), "ada", false},
		"a regenerated": {regenerate("ada"), "ada", true},
		"a renewal":     {renew, "", false},
		"a logout":      {destroy, "", true},
	} {
		for how, late := range lates {
			for _, loaded := range []bool{true, false} {
				if env.Express && c.deletes && !loaded {
					continue // see the table in docs/options.md
				}
				t.Run(map[bool]string{true: "in flight", false: "later"}[loaded]+" at "+name+" "+how, func(t *testing.T) {
					t.Parallel()
					w := begin(t, env, nil)
					b := newBrowser()
					b.visit(t, w.a, add("first"))
					r := b.request()
					var res *http.Response
					if loaded {
						res = send(t, w.b, r, func(t *testing.T, m *manager, r *http.Request, s *current) {
							s.Data()
							b.visit(t, w.a, c.first)
							late(t, m, r, s)
						})
					} else {
						b.visit(t, w.a, c.first)
						res = send(t, w.b, r, late)
					}
					if got := sets(res); got != "" && !(name == "a renewal" && !loaded) {
						t.Errorf("the late response sets a cookie: %s", got)
					}
					b.receive(r, res)
					if d, _ := peek(t, w.a, b); d.User != c.user {
						t.Errorf("logged in as %q, want %q", d.User, c.user)
					}
				})
			}
		}
	}
	if env.Express {
		return // each change sends the cookie: see the table in docs/options.md
	}
	t.Run("answered before a login, and arrives after it", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, func(c *session.Config) { c.StoreLimits.TouchInterval = 0 })
		b := newBrowser()
		b.visit(t, w.a, add("first"))
		saved := func(t *testing.T, m *manager, r *http.Request, s *current) {
			add("third")(t, m, r, s)
			if err := s.Save(r.Context()); err != nil {
				t.Errorf("Save: %v", err)
			}
		}
		for _, do := range []action{read, add("second"), saved} {
			r := b.request()
			res := send(t, w.b, r, do)
			b.visit(t, w.a, login("ada"))
			b.receive(r, res)
			if d, _ := peek(t, w.a, b); d.User != "ada" {
				t.Errorf("logged in as %q, want ada; the late response sets %s", d.User, sets(res))
			}
		}
	})
}

// LostRenewalIsRepaired is promise 15.
func LostRenewalIsRepaired(t *testing.T, env Env) {
	for _, after := range []time.Duration{time.Second, time.Minute, time.Hour, session.MaxRenewRepair - time.Minute} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			w := begin(t, env, func(c *session.Config) {
				n := 0
				c.GenID = func(*http.Request) (string, error) { // any generator of ids works
					n++
					return "id/of a session " + strings.Repeat("x", n) + time.Now().String(), nil
				}
			})
			b := newBrowser()
			b.visit(t, w.a, login("ada"))
			send(t, w.a, b.request(), renew) // the response of this request is lost
			w.advance(after)
			old := b.fork()
			if res := b.visit(t, w.b, add("x")); sets(res) == "" {
				t.Error("the new cookie was not sent again")
			}
			if d, owner := peek(t, w.a, b); d.User != "ada" || d.Cart["x"] != 1 || owner != "user:ada" {
				t.Errorf("with the new cookie: %+v of %q", d, owner)
			}
			if res := old.fork().visit(t, w.b, read); sets(res) == "" {
				t.Error("the new cookie was not sent a third time, although no request has had it")
			}
			b.visit(t, w.b, read) // a request with the new id has come
			if res := old.fork().visit(t, w.a, read); sets(res) != "" {
				t.Errorf("sent again although a request has had it: %s", sets(res))
			}
			w.advance(session.DefaultRenewGrace - time.Second)
			if d, _ := peek(t, w.a, old); d.User != "ada" {
				t.Error("the old id answers no more before the end of its grace period")
			}
			w.advance(time.Second)
			if d, _ := peek(t, w.b, old); d.User != "" {
				t.Error("the old id answers after its grace period")
			}
			if d, _ := peek(t, w.a, b); d.User != "ada" {
				t.Error("the session is gone")
			}
		})
	}
	t.Run("never seen", func(t *testing.T) {
		t.Parallel()
		w := begin(t, env, nil)
		b := newBrowser()
		b.visit(t, w.a, login("ada"))
		send(t, w.a, b.request(), renew)
		w.advance(session.MaxRenewRepair)
		if d, _ := peek(t, w.b, b); d.User != "" {
			t.Error("the old id leads to the session after MaxRenewRepair")
		}
	})
}

// CookieLivesAsLongAsTheSession is promise 16. Under the preset the cookie is sent as
// express-session sends it.
func CookieLivesAsLongAsTheSession(t *testing.T, env Env) {
	const week = 7 * 24 * time.Hour
	w := begin(t, env, func(c *session.Config) {
		c.StoreLimits.TouchInterval = 0
		c.Cookie.MaxAge, c.AbsoluteTimeout = week, 3*week
	})
	b := newBrowser()
	began := w.clock()
	res := b.visit(t, w.a, login("ada"))
	if line := sets(res); strings.Contains(line, "Max-Age=604800") == env.Express || !strings.Contains(line, "Expires=") {
		t.Errorf("the login sets %s", line)
	}
	for day := 1; day <= 22; day++ {
		w.advance(24 * time.Hour)
		m := w.a
		if day%2 == 0 {
			m = w.b
		}
		res := b.visit(t, m, read)
		cookies := res.Cookies()
		if env.Express {
			if len(cookies) > 0 {
				t.Errorf("day %d sets %s", day, sets(res))
			}
			continue
		}
		if day >= 21 {
			if d, _ := peek(t, m, b); d.User != "" || len(cookies) > 0 {
				t.Errorf("day %d, after the absolute timeout: %+v, %s", day, d, sets(res))
			}
			continue
		}
		if day <= 14 && len(cookies) != 1 {
			t.Fatalf("day %d: the cookie was not sent", day)
		}
		for _, c := range cookies {
			ends := w.clock().Add(time.Duration(c.MaxAge) * time.Second)
			want := w.clock().Add(week)
			if limit := began.Add(3 * week); limit.Before(want) {
				want = limit
			}
			if !ends.Equal(want) || !c.Expires.Equal(want) {
				t.Errorf("day %d: the cookie lives until %v and %v, want %v", day, ends, c.Expires, want)
			}
		}
	}
}
