package live_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"

	"github.com/nestsession/session"
)

// during runs a handler of the Go application for the visitor, whose session is loaded when it
// starts. It returns the status of the response.
func (r *rig) during(t *testing.T, v *visitor, do func(context.Context, *session.Session[data])) int {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), "GET", "/"+v.app, nil)
	req.Header.Set("Cookie", cookieName+"="+v.cookie)
	w := httptest.NewRecorder()
	r.managers[v.app].HandlerFunc(func(w http.ResponseWriter, req *http.Request, s *session.Session[data]) {
		if s.ID() != v.id(t) {
			t.Error("Go does not know the session")
		}
		do(req.Context(), s)
		w.WriteHeader(http.StatusNoContent)
	})(w, req)
	return w.Code
}

// No update by Go is lost while Node reads and touches the session.
func updatesDuringTouches(t *testing.T, r *rig) {
	const updates = 12
	v := r.logIn(t, r.node, "hour")
	done := make(chan struct{})
	var going, visiting sync.WaitGroup
	for range updates {
		going.Go(func() {
			own := *v
			own.post(t, r.golang, "/count", nil)
		})
	}
	for range 2 {
		visiting.Go(func() {
			for {
				own := *v
				if a := own.get(t, r.node, "/read"); a.ID != v.id(t) {
					t.Errorf("Node does not know the session: %+v", a)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	going.Wait()
	close(done)
	visiting.Wait()
	for _, s := range []side{r.node, r.golang} {
		if a := v.get(t, s, "/read"); a.Data["visits"] != float64(updates) {
			t.Errorf("%s sees %v visits after %d concurrent ones", s.name, a.Data["visits"], updates)
		}
	}
}

// If Node has stored a change meanwhile, Go's change is applied again on top of it, whether it was
// made before or after.
func changesMeet(t *testing.T, r *rig) {
	v := r.logIn(t, r.node, "hour")
	v.post(t, r.node, "/count", nil)
	applied := 0
	status := r.during(t, v, func(_ context.Context, s *session.Session[data]) {
		s.Update(func(d *data) { applied++; (*d)["before"] = (*d)["node"] })
		v.post(t, r.node, "/merge", data{"node": "was here"})
		v.post(t, r.node, "/count", nil)
		s.Update(count)
	})
	if status != http.StatusNoContent || applied < 2 {
		t.Errorf("the answer is %d, and the first change was made %d times", status, applied)
	}
	want := data{"user": ada, "node": "was here", "before": "was here", "visits": 3.0}
	for _, s := range []side{r.node, r.golang} {
		if a := v.get(t, s, "/read"); !reflect.DeepEqual(a.Data, want) {
			t.Errorf("%s sees %v, want %v", s.name, a.Data, want)
		}
	}
}

// A touch by Go does not undo what Node has stored since Go read the session.
func touchUndoesNothing(t *testing.T, r *rig) {
	v := r.logIn(t, r.node, "hour")
	r.during(t, v, func(context.Context, *session.Session[data]) {
		v.post(t, r.node, "/merge", data{"node": "was here"})
	})
	if a := v.get(t, r.node, "/read"); a.Data["node"] != "was here" {
		t.Errorf("after a touch of Go, Node sees %v", a.Data)
	}
}

// A user who logs out at Node during a request to Go stays logged out: the save reports that, and
// the page is sent.
func logoutDuringRequest(t *testing.T, r *rig) {
	tests := map[string]struct {
		end func(*visitor)
		do  func(context.Context, *session.Session[data]) error
	}{
		"saved by the handler": {
			func(v *visitor) { v.post(t, r.node, "/logout", nil) },
			func(ctx context.Context, s *session.Session[data]) error { s.Update(count); return s.Save(ctx) },
		},
		"saved at the end": {
			func(v *visitor) { v.post(t, r.node, "/logout", nil) },
			func(_ context.Context, s *session.Session[data]) error { s.Update(count); return session.ErrRevoked },
		},
		"only touched": {
			func(v *visitor) { v.post(t, r.node, "/logout", nil) },
			func(context.Context, *session.Session[data]) error { return session.ErrRevoked },
		},
		"regenerated": {
			func(v *visitor) { v.post(t, r.node, "/regenerate", nil) },
			func(ctx context.Context, s *session.Session[data]) error { s.Update(count); return s.Save(ctx) },
		},
	}
	for name, test := range tests {
		v := r.logIn(t, r.node, "hour")
		elsewhere, id := *v, v.id(t)
		status := r.during(t, v, func(ctx context.Context, s *session.Session[data]) {
			test.end(&elsewhere)
			if err := test.do(ctx, s); !errors.Is(err, session.ErrRevoked) {
				t.Errorf("%s: the save says %v, want ErrRevoked", name, err)
			}
		})
		if status != http.StatusNoContent {
			t.Errorf("%s: the answer is %d, want the handler's", name, status)
		}
		r.isOver(t, v, id)
		if a := elsewhere.get(t, r.node, "/read"); len(a.Data) != 0 {
			t.Errorf("%s: Go's change is in the session that Node began: %v", name, a.Data)
		}
	}
}
