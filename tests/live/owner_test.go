package live_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// owned returns the number of sessions of the owner that Go lists.
func (r *rig) owned(t *testing.T, owner string) []session.Info[data] {
	t.Helper()
	var found []session.Info[data]
	listing := r.managers["hour"].ListAll(t.Context())
	if owner != "" {
		listing = r.managers["hour"].List(t.Context(), owner)
	}
	for info, err := range listing {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, info)
	}
	return found
}

// The owner that Go has given a session stays, and the session is found by it, when Node saves and
// touches the session. Revoking the owner logs the user out of Node.
func ownerOutlivesNode(t *testing.T, r *rig) {
	const owner = "user:ключ'\"%_42"
	for _, w := range r.ways() {
		v := r.logIn(t, w.from, "hour")
		other := r.logIn(t, w.from, "hour")
		id := v.id(t)
		v.post(t, r.golang, "/own", data{"owner": owner})
		v.post(t, r.node, "/merge", data{"node": "was here"})
		v.get(t, r.node, "/read")
		if found := r.owned(t, owner); len(found) != 1 || found[0].Owner != owner {
			t.Fatalf("Go lists %d sessions of the owner of one", len(found))
		}
		ended, err := r.managers["hour"].RevokeOwner(t.Context(), owner)
		if ended != 1 || err != nil {
			t.Errorf("RevokeOwner: %d sessions, %v", ended, err)
		}
		r.isOver(t, v, id)
		if a := other.get(t, r.node, "/read"); a.ID != other.id(t) {
			t.Error("somebody else's session was revoked, too")
		}
	}
}

// A session that Node has regenerated, and that is therefore empty, has no owner.
func ownerEndsWithRegenerate(t *testing.T, r *rig) {
	const owner = "user:of a regenerated session"
	v := r.logIn(t, r.golang, "hour")
	v.post(t, r.golang, "/own", data{"owner": owner})
	v.post(t, r.node, "/login", data{"user": "grace"})
	if found := r.owned(t, owner); len(found) != 0 {
		t.Errorf("Go lists %d sessions of an owner who has none", len(found))
	}
	if n, err := r.managers["hour"].RevokeOwner(t.Context(), owner); n != 0 || err != nil {
		t.Errorf("RevokeOwner: %d, %v", n, err)
	}
	if a := v.get(t, r.node, "/read"); a.Data["user"] != "grace" {
		t.Error("the session of another user was revoked")
	}
}

// A session that only Node extends, beyond the expiry that Go has seen, is still found by its owner
// after a sweep.
func ownerOfWhatNodeProlongs(t *testing.T, r *rig) {
	const owner = "user:who is at Node all day"
	v := r.logIn(t, r.golang, "short")
	v.post(t, r.golang, "/own", data{"owner": owner})
	known := r.expires(t, v.id(t))
	v.post(t, r.node, "/lifetime", data{"ms": time.Hour.Milliseconds()})
	eventually(t, "the time passes that Go knew of", func() bool {
		return time.Now().After(known.Add(100 * time.Millisecond))
	})
	if err := r.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.owned(t, owner)); n != 1 {
		t.Errorf("Go lists %d sessions of the owner of one", n)
	}
	if n, err := r.managers["hour"].RevokeOwner(t.Context(), owner); n != 1 || err != nil {
		t.Errorf("RevokeOwner: %d, %v", n, err)
	}
	r.isOver(t, v, v.id(t))
}

// Go lists the sessions that Node has made, and can end any of them.
func listsWhatNodeMade(t *testing.T, r *rig) {
	v := r.logIn(t, r.node, "hour")
	m := r.managers["hour"]
	var digest string
	r.during(t, v, func(_ context.Context, s *session.Session[data]) { digest = s.Digest() })
	all := r.owned(t, "")
	at := slices.IndexFunc(all, func(i session.Info[data]) bool { return i.Digest == digest })
	if at < 0 {
		t.Fatal("a session that Node made is not listed")
	}
	around(t, "as listed", all[at].Expires, time.Now().Add(-time.Minute), time.Hour)
	if err := m.Revoke(t.Context(), all[at]); err != nil {
		t.Fatal(err)
	}
	r.isOver(t, v, v.id(t))
}
