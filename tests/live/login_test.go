package live_test

import (
	"reflect"
	"testing"
)

// A user who logs in at one program is known at the other, under the same cookie.
func knownAtBoth(t *testing.T, r *rig) {
	for _, w := range r.ways() {
		v := r.logIn(t, w.from, "hour")
		id, cookie := v.id(t), v.cookie
		for _, s := range []side{w.to, w.from, w.to} {
			a := v.get(t, s, "/read")
			if a.ID != id || !reflect.DeepEqual(a.Data["user"], any(ada)) {
				t.Errorf("%s does not know who logged in at %s: %+v", s.name, w.from.name, a)
			}
			if a.Sent != nil || v.cookie != cookie {
				t.Errorf("%s sends the cookie of %s again", s.name, w.from.name)
			}
		}
	}
}

// What is changed or dropped by one program is seen by the other.
func changesSeenAtBoth(t *testing.T, r *rig) {
	for _, w := range r.ways() {
		v := r.logIn(t, w.from, "hour")
		v.post(t, w.to, "/merge", data{"theme": "dark", "cart": []any{"a", data{"b": nil}}})
		a := v.get(t, w.from, "/read")
		want := data{"user": ada, "theme": "dark", "cart": []any{"a", data{"b": nil}}}
		if !reflect.DeepEqual(a.Data, want) {
			t.Errorf("%s sees %v after %s has put something in, want %v", w.from.name, a.Data, w.to.name, want)
		}
		v.post(t, w.from, "/merge", data{"theme": "light"})
		v.post(t, w.to, "/drop", data{"key": "cart"})
		for range 3 {
			v.post(t, w.from, "/count", nil)
			v.post(t, w.to, "/count", nil)
		}
		want = data{"user": ada, "theme": "light", "visits": 6.0}
		for _, s := range []side{w.from, w.to} {
			if a := v.get(t, s, "/read"); !reflect.DeepEqual(a.Data, want) {
				t.Errorf("%s sees %v in the end, want %v", s.name, a.Data, want)
			}
		}
	}
}

// A logout at one program ends the session at both, and in the store.
func logoutEndsBoth(t *testing.T, r *rig) {
	for _, w := range r.ways() {
		for _, at := range []side{w.to, w.from} {
			v := r.logIn(t, w.from, "hour")
			id := v.id(t)
			v.get(t, w.to, "/read")
			v.post(t, at, "/logout", nil)
			r.isOver(t, v, id)
		}
	}
}

// isOver checks that neither program knows the session of the visitor's cookie, and that neither
// brings it back.
func (r *rig) isOver(t *testing.T, v *visitor, id string) {
	t.Helper()
	for _, w := range r.ways() {
		old := *v
		if a := old.get(t, w.from, "/read"); a.ID == id || len(a.Data) != 0 {
			t.Errorf("%s still knows the session: %+v", w.from.name, a)
		}
		old = *v
		if a := old.post(t, w.from, "/merge", data{"back": true}); a.ID == id || len(a.Data) != 1 {
			t.Errorf("%s goes on with the session: %+v", w.from.name, a)
		}
	}
	if kept := r.record(t, id); kept != nil {
		t.Error("the store still has the session")
	}
}

// When one program gives the session a new id, both know it by that id, and the old id leads to no
// session.
func regenerateAtBoth(t *testing.T, r *rig) {
	for _, w := range r.ways() {
		for _, at := range []side{w.to, w.from} {
			v := r.logIn(t, w.from, "hour")
			old, oldID := *v, v.id(t)
			a := v.post(t, at, "/regenerate", nil)
			if a.ID == oldID || v.id(t) != a.ID || len(a.Data) != 0 {
				t.Fatalf("%s keeps the id, or what was in the session: %+v", at.name, a)
			}
			v.post(t, at, "/merge", data{"new": true})
			for _, s := range []side{w.from, w.to} {
				if got := v.get(t, s, "/read"); got.ID != a.ID || !reflect.DeepEqual(got.Data, data{"new": true}) {
					t.Errorf("%s finds %+v under the new id, which %s gave", s.name, got, at.name)
				}
			}
			r.isOver(t, &old, oldID)
		}
	}
}

// A second login, at the other program, gives another id and ends the first session.
func loginAgainElsewhere(t *testing.T, r *rig) {
	for _, w := range r.ways() {
		v := r.logIn(t, w.from, "hour")
		old, oldID := *v, v.id(t)
		if a := v.post(t, w.to, "/login", data{"user": "grace"}); a.ID == oldID {
			t.Errorf("%s logs in under the id that %s gave", w.to.name, w.from.name)
		}
		if a := v.get(t, w.from, "/read"); !reflect.DeepEqual(a.Data, data{"user": "grace"}) {
			t.Errorf("%s sees %v of who logged in at %s", w.from.name, a.Data, w.to.name)
		}
		r.isOver(t, &old, oldID)
	}
}

// After Go's Renew, which keeps the data, Node knows a browser by the new id. With the old id Node
// finds no session, and Go finds the same session during the grace period, even if Node has stored
// something under the old id.
func renewedByGo(t *testing.T, r *rig) {
	v := r.logIn(t, r.node, "hour")
	old, oldID := *v, v.id(t)
	a := v.post(t, r.golang, "/renew", nil)
	if a.ID == oldID || v.id(t) != a.ID {
		t.Fatal("Go gives no new id")
	}
	got := v.get(t, r.node, "/read")
	delete(got.Data, "__nestsession") // Go's bookkeeping: no request has had the new id yet
	if got.ID != a.ID || !reflect.DeepEqual(got.Data, data{"user": ada}) {
		t.Errorf("Node finds %+v under the new id", got)
	}
	late := old
	if got := late.post(t, r.node, "/merge", data{"late": true}); got.Data["user"] != nil {
		t.Error("Node knows the user under the old id")
	}
	late = old
	if got := late.get(t, r.golang, "/read"); !reflect.DeepEqual(got.Data, data{"user": ada}) {
		t.Errorf("Go finds %v under the old id within the grace", got.Data)
	}
}

// Neither program accepts a cookie of the other that was tampered with.
func foreignCookiesRefused(t *testing.T, r *rig) {
	for _, w := range r.ways() {
		v := r.logIn(t, w.from, "hour")
		id := v.id(t)
		forged := *v
		forged.cookie = v.cookie[:len(v.cookie)-1]
		if a := forged.get(t, w.to, "/read"); a.ID == id || len(a.Data) != 0 {
			t.Errorf("%s takes a cookie of %s whose signature was cut", w.to.name, w.from.name)
		}
		if a := v.get(t, w.to, "/read"); a.ID != id {
			t.Errorf("%s refuses the cookie of %s as it was", w.to.name, w.from.name)
		}
	}
}
