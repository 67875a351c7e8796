package live_test

import (
	"testing"
	"time"
)

// rounding is a tolerance for an expiry: the npm packages round it, and the machine may be slow.
const rounding = 2 * time.Second

// shortLife is how long the sessions of the application "short" live. Tests wait until it has
// passed; and a busy machine has to log in and visit again within it.
const shortLife = 8 * time.Second

// around checks an expiry that was set between start and now.
func around(t *testing.T, what string, got, start time.Time, lifetime time.Duration) {
	t.Helper()
	if got.Before(start.Add(lifetime-rounding)) || got.After(time.Now().Add(lifetime+rounding)) {
		t.Errorf("%s: the session ends in %v, want %v", what, time.Until(got).Round(time.Millisecond), lifetime)
	}
}

// A visit to either program that changes nothing extends the session for both, and leaves the
// stored text unchanged.
func touchProlongsForBoth(t *testing.T, r *rig) {
	for _, w := range r.ways() {
		for _, at := range []side{w.to, w.from} {
			start := time.Now()
			v := r.logIn(t, w.from, "hour")
			id := v.id(t)
			around(t, w.from.name+" has stored it", r.expires(t, id), start, time.Hour)
			text := r.text(t, id)
			start = time.Now()
			r.setExpires(t, id, start.Add(time.Minute))
			v.get(t, at, "/read")
			around(t, at.name+" was visited, "+w.from.name+" had stored it", r.expires(t, id), start, time.Hour)
			if got := r.text(t, id); got != text {
				t.Errorf("a visit to %s makes of the text\n%s\nthis\n%s", at.name, text, got)
			}
		}
	}
}

// When the lifetime has passed, neither program knows the session, whichever stored or touched it.
func expiresAtBoth(t *testing.T, r *rig) {
	type ending struct {
		way
		v     *visitor
		at    time.Time
		asked side
	}
	var sessions []ending
	for _, w := range r.ways() {
		for _, asked := range []side{w.from, w.to} {
			v := r.logIn(t, w.from, "short")
			if a := v.get(t, w.to, "/read"); a.ID != v.id(t) {
				t.Fatalf("%s does not know the session as long as it lives", w.to.name)
			}
			sessions = append(sessions, ending{w, v, r.ends(t, v.id(t)), asked})
		}
	}
	for _, s := range sessions {
		eventually(t, "the session's time passes", func() bool { return time.Now().After(s.at) })
		id := s.v.id(t)
		if a := s.v.get(t, s.asked, "/read"); a.ID == id || len(a.Data) != 0 {
			t.Errorf("%s stored a session, which %s knows after its time: %+v", s.from.name, s.asked.name, a)
		}
	}
}

// ends returns when the session has expired for each of the packages: those that keep whole seconds
// serve it for part of another one.
func (r *rig) ends(t *testing.T, id string) time.Time {
	t.Helper()
	at := r.expires(t, id)
	if left := time.Until(at); left > shortLife+time.Second+rounding {
		t.Errorf("a session of %v ends in %v", shortLife, left)
	}
	return at.Add(1500 * time.Millisecond)
}

// Without maxAge the browser keeps the cookie until it is closed, and the store keeps the session
// as long as the npm package does: a day after it was written, and with most packages a day after
// each visit.
func withoutMaxAge(t *testing.T, r *rig) {
	const day = 24 * time.Hour
	for _, w := range r.ways() {
		v := &visitor{app: "open"}
		start := time.Now()
		a := v.post(t, w.from, "/login", data{"user": ada})
		if a.Sent == nil || !a.Sent.Expires.IsZero() || a.Sent.MaxAge != 0 {
			t.Errorf("%s sends the cookie %v, want one that ends with the browser", w.from.name, a.Sent)
		}
		id := v.id(t)
		around(t, w.from.name+" has stored it", r.expires(t, id), start, day)
		for _, at := range []side{w.to, w.from} {
			start = time.Now()
			r.setExpires(t, id, start.Add(time.Hour))
			v.post(t, at, "/count", nil)
			around(t, at.name+" has changed it", r.expires(t, id), start, day)
			start = time.Now()
			r.setExpires(t, id, start.Add(time.Hour))
			if a := v.get(t, at, "/read"); a.ID != id {
				t.Errorf("%s does not know the session: %+v", at.name, a)
			}
			lifetime := day
			if at == r.node && r.untouchedWithoutMaxAge {
				lifetime = time.Hour
			}
			around(t, at.name+" was visited", r.expires(t, id), start, lifetime)
		}
	}
}

// A lifetime that one program gave a session holds at the other program.
func ownLifetime(t *testing.T, r *rig) {
	const lifetime = 10 * time.Minute
	for _, w := range r.ways() {
		v := r.logIn(t, w.from, "hour")
		id := v.id(t)
		start := time.Now()
		v.post(t, w.from, "/lifetime", data{"ms": lifetime.Milliseconds()})
		around(t, w.from.name+" gave it 10 minutes", r.expires(t, id), start, lifetime)
		for _, at := range []side{w.to, w.from} {
			start = time.Now()
			r.setExpires(t, id, start.Add(time.Minute))
			v.get(t, at, "/read")
			around(t, at.name+" was visited", r.expires(t, id), start, lifetime)
			v.post(t, at, "/count", nil)
			around(t, at.name+" changed it", r.expires(t, id), start, lifetime)
		}
	}
}

// With rolling, each visit to either sends the same cookie with a later expiry.
func rolling(t *testing.T, r *rig) {
	for _, w := range r.ways() {
		start := time.Now()
		v := r.logIn(t, w.from, "rolling")
		cookie := v.cookie
		for _, at := range []side{w.to, w.from} {
			a := v.get(t, at, "/read")
			if a.Sent == nil || v.cookie != cookie {
				t.Fatalf("%s sends %v, want the cookie that %s sent", at.name, a.Sent, w.from.name)
			}
			around(t, "the cookie of "+at.name, a.Sent.Expires, start, time.Hour)
		}
	}
}

// A session keeps its lifetime at a program that is configured with another one.
func otherSettings(t *testing.T, r *rig) {
	for _, w := range r.ways() {
		v := r.logIn(t, w.from, "hour")
		for _, app := range []string{"open", "short", "rolling"} {
			v.app = app
			start := time.Now()
			r.setExpires(t, v.id(t), start.Add(time.Minute))
			v.get(t, w.to, "/read")
			around(t, w.to.name+" was visited", r.expires(t, v.id(t)), start, time.Hour)
			v.post(t, w.to, "/count", nil)
			around(t, w.to.name+" changed it", r.expires(t, v.id(t)), start, time.Hour)
		}
	}
}

// A sweep by Go removes the sessions that Node let expire, and no others.
func sweepSparesTheLiving(t *testing.T, r *rig) {
	dead, alive := r.logIn(t, r.node, "hour"), r.logIn(t, r.node, "hour")
	r.setExpires(t, dead.id(t), time.Now().Add(-time.Hour))
	if err := r.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.record(t, dead.id(t)) != nil {
		t.Error("a session that has expired is still there")
	}
	if a := alive.get(t, r.node, "/read"); a.ID != alive.id(t) {
		t.Error("a sweep has removed a session that lives")
	}
}
