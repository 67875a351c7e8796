package session_test

import (
	"net/http"
	"testing"

	"github.com/nestsession/session"
)

type ring struct {
	Name string `json:"name"`
	Next *ring  `json:"next,omitempty"`
}

// TestDataInACircleFailTheSave: JSON has no form for them. To follow them would
// overflow the stack, which ends the process and not only the request.
func TestDataInACircleFailTheSave(t *testing.T) {
	t.Parallel()
	t.Run("struct", func(t *testing.T) {
		t.Parallel()
		failsToSave(t, session.Config{}, func(r *ring) {
			r.Next = &ring{}
			r.Next.Next = r.Next
		})
	})
	t.Run("map", func(t *testing.T) {
		t.Parallel()
		failsToSave(t, session.Config{}, func(data *map[string]any) {
			circle := map[string]any{}
			circle["again"] = circle
			(*data)["circle"] = circle
		})
	})
	t.Run("list", func(t *testing.T) {
		t.Parallel()
		failsToSave(t, session.Config{}, func(data *map[string]any) {
			circle := []any{nil}
			circle[0] = circle
			(*data)["circle"] = circle
		})
	})
}

// failsToSave asserts that a request with the update gets an error response alone,
// and that nothing of it is stored.
func failsToSave[T any](t *testing.T, cfg session.Config, update func(*T)) {
	t.Helper()
	s := newHooked(t)
	cfg.Store = s
	m := newManager[T](t, cfg)
	b := newBrowser()
	res := do(m, b, func(w http.ResponseWriter, _ *http.Request, s *session.Session[T]) {
		s.Update(update)
		w.Header().Set("X-From", "the handler")
		if _, err := w.Write([]byte("the page")); err == nil {
			t.Error("the handler's Write succeeded, though the save did not")
		}
	})
	wantErrorAlone(t, res, http.StatusInternalServerError)
	if n := len(records(t, s)); n != 0 {
		t.Errorf("%d records were stored", n)
	}
}

// wantErrorAlone asserts that a response is the default error response, with nothing
// of a handler that sets X-From and writes "the page".
func wantErrorAlone(t *testing.T, res *http.Response, status int) {
	t.Helper()
	if got := body(t, res); res.StatusCode != status || got != http.StatusText(status)+"\n" {
		t.Errorf("answered %d %q, want the %d alone", res.StatusCode, got, status)
	}
	for _, name := range []string{"X-From", "Set-Cookie", "Location", "Etag", "Content-Range", "Link"} {
		if v := res.Header.Values(name); len(v) > 0 {
			t.Errorf("the error response has the handler's %s: %q", name, v)
		}
	}
}
