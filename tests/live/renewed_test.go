package live_test

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/nestsession/session"
)

// seen is what Node returns for a cookie: the page that needs a login, the session that a socket
// has had since its handshake, and the data that are stored under the cookie's id.
type seen struct {
	status     int
	body       string
	cookies    int
	reloaded   data
	kept       bool
	keptByNode bool // after Node has stored something in the session
}

// look asks Node with a cookie, which was also that of a socket's handshake.
func (r *rig) look(t *testing.T, v visitor) seen {
	t.Helper()
	id := v.id(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.node.base+"/"+v.app+"/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookieName+"="+v.cookie)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	s := seen{status: resp.StatusCode, body: string(body), cookies: len(resp.Cookies())}
	s.reloaded = (&visitor{app: v.app}).post(t, r.node, "/event", data{"id": id}).Data
	s.kept = r.record(t, id) != nil
	v.post(t, r.node, "/merge", data{"late": true})
	s.keptByNode = r.record(t, id) != nil
	return s
}

// After Go's Renew or Login, Node sees with the old id what it sees after its own regenerate, no
// more and no less. A logout at Node with the new id ends the session at both programs.
func oldIDAsAfterRegenerate(t *testing.T, r *rig) {
	for _, c := range []struct {
		at    side
		route string
	}{{r.node, "/login"}, {r.golang, "/enter"}, {r.golang, "/renew"}} {
		v := r.logIn(t, r.node, "hour")
		old := *v
		v.post(t, r.node, "/handshake", nil)
		if got := v.post(t, r.node, "/event", data{"id": v.id(t)}).Data; !reflect.DeepEqual(got, data{"user": ada}) {
			t.Fatalf("before %s a socket reloads %v", c.route, got)
		}
		v.post(t, c.at, c.route, data{"user": ada})
		got, want := r.look(t, old), seen{status: http.StatusUnauthorized, body: `{"error":"who are you?"}`, reloaded: data{"error": "failed to load session"}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("after %s of %s, Node sees with the old id %+v, want %+v", c.route, c.at.name, got, want)
		}
		id := v.id(t)
		if id == old.id(t) {
			t.Fatalf("%s of %s gives no new id", c.route, c.at.name)
		}
		v.post(t, r.node, "/handshake", nil)
		if got := r.look(t, *v); got.status != http.StatusOK || !strings.Contains(got.body, "Ada Lovelace") || !got.kept || got.reloaded["error"] != nil {
			t.Errorf("after %s of %s, Node sees with the new id %+v", c.route, c.at.name, got)
		}
		gone := *v
		v.post(t, r.node, "/logout", nil)
		if got := r.look(t, gone); !reflect.DeepEqual(got, want) {
			t.Errorf("after %s of %s and a logout, Node sees %+v, want %+v", c.route, c.at.name, got, want)
		}
		r.isOver(t, &gone, id)
		r.isOver(t, &old, old.id(t))
	}
}

// A logout at one Go node, of a session that another node has renewed, ends the session at Node,
// even if the node has loaded it before.
func logoutOfWhatAnotherNodeRenewed(t *testing.T, r *rig) {
	b := *r
	b.managers = map[string]*session.Manager[data]{"hour": goManager(t, r.kept, apps[0])}
	b.golang = startGo(t, b.managers)
	for name, logout := range map[string]func(v *visitor, renew func()){
		"later": func(v *visitor, renew func()) {
			renew()
			v.post(t, b.golang, "/logout", nil)
		},
		"in flight": func(v *visitor, renew func()) {
			b.during(t, v, func(ctx context.Context, s *session.Session[data]) {
				s.Data()
				renew()
				if err := s.Destroy(ctx); err != nil {
					t.Errorf("Destroy: %v", err)
				}
			})
		},
	} {
		for _, route := range []string{"/renew", "/enter"} {
			if route == "/enter" && name == "later" {
				continue // after a login the old id reads nothing
			}
			v := r.logIn(t, r.node, "hour")
			old := *v
			logout(&old, func() {
				v.post(t, r.golang, route, data{"user": ada})
				v.post(t, r.node, "/handshake", nil)
			})
			if route == "/enter" {
				// A logout with the old session does not undo a login.
				if a := v.get(t, r.node, "/read"); a.ID != v.id(t) || !reflect.DeepEqual(a.Data["user"], any(ada)) {
					t.Errorf("%s: a logout under the id before the login has ended it: %+v", name, a)
				}
				continue
			}
			if got := r.look(t, *v); got.status != http.StatusUnauthorized || got.kept || got.keptByNode {
				t.Errorf("%s: after the logout Node sees with the new id %+v", name, got)
			}
			r.isOver(t, v, v.id(t))
		}
	}
}

// What a request can make Node write into the member with Go's bookkeeping, by Object.assign of its
// body, leads to no session and sets no owner.
func plantedBookkeeping(t *testing.T, r *rig) {
	const owner = "user:of what was planted"
	victim := r.logIn(t, r.golang, "hour")
	victim.post(t, r.golang, "/own", data{"owner": owner})
	for name, member := range map[string]data{
		"an owner":            {"owner": owner},
		"an owner with a MAC": {"owner": owner, "mac": "AAAAAAAAAAAAAAAAAAAAAA"},
		"a successor":         {"successor": victim.id(t), "until": 9e15},
		"a login's successor": {"successor": victim.id(t), "login": true, "carry": true, "until": 9e15},
		"an end":              {"ended": true, "until": 9e15},
	} {
		v := r.logIn(t, r.node, "hour")
		v.post(t, r.node, "/merge", data{"__nestsession": member, "user": "eve"})
		for range 2 { // before and after a save by Go
			if a := v.get(t, r.golang, "/read"); a.ID != v.id(t) || a.Data["user"] != "eve" {
				t.Errorf("%s: Go sees %+v", name, a)
			}
			if found := r.owned(t, owner); len(found) != 1 {
				t.Errorf("%s: Go lists %d sessions of the owner of one", name, len(found))
			}
			v.post(t, r.golang, "/count", nil)
		}
	}
	ended, err := r.managers["hour"].RevokeOwner(t.Context(), owner)
	if ended != 1 || err != nil {
		t.Errorf("RevokeOwner: %d sessions, %v", ended, err)
	}
}
