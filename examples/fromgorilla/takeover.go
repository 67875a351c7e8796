// Package fromgorilla is the code of docs/guides/from-gorilla.md: an application that
// was on gorilla/sessions, and takes its visitors over one by one without logging them
// out, whichever of gorilla's stores they are in.
package fromgorilla

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	"github.com/nestsession/session"
)

// Account is what the application keeps in a session. Under gorilla these were the
// values under the keys "user" and "roles", and the flashes.
type Account struct {
	User    string   `json:"user,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	Flashes []string `json:"flashes,omitempty"`
}

// Session is what a handler is given.
type Session = session.Session[Account]

const (
	// grace is how long an old session in a store of gorilla's goes on after it was taken
	// over, for the requests that the browser sent before it had the new cookie.
	grace = 30 * time.Second

	// takenKey is where the old session notes when that was.
	takenKey = "taken over at"
)

// Takeover makes a session here of the one that a visitor has with gorilla.
type Takeover struct {
	Sessions *session.Manager[Account]
	Old      sessions.Store   // as the old application set it up, with its keys
	Name     string           // of the old session
	Options  sessions.Options // of its cookie: Path and Domain as they were
}

// Handler wraps the routes. A request without the old cookie costs nothing.
func (t *Takeover) Handler(next http.Handler) http.Handler {
	return t.Sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie(t.Name); err == nil {
			if err := t.take(w, r); err != nil {
				slog.ErrorContext(r.Context(), "taking over a session of gorilla", "error", err)
				http.Error(w, "try again", http.StatusServiceUnavailable)
				return
			}
		}
		next.ServeHTTP(w, r)
	}))
}

// take copies the old session if this visitor is not logged in here, and removes its
// cookie from the browser.
func (t *Takeover) take(w http.ResponseWriter, r *http.Request) error {
	s, err := t.Sessions.Load(r.Context())
	if err != nil {
		return err
	}
	old, err := t.Old.New(r, t.Name)
	if err != nil && !worthless(err) {
		return fmt.Errorf("loading the old session: %w", err) // the cookie may be valid: keep it
	}
	now := time.Now()
	taken, again := old.Values[takenKey].(int64)
	over := again && now.Sub(time.UnixMilli(taken)) > grace
	user, _ := old.Values["user"].(string)
	if err == nil && !over && user != "" && s.Data().User == "" {
		if err := s.Login(r.Context(), "user:"+user); err != nil { // a new id, and the owner
			return err
		}
		roles, _ := old.Values["roles"].([]string)
		var flashes []string
		for _, f := range old.Flashes() {
			flashes = append(flashes, fmt.Sprint(f))
		}
		s.Update(func(a *Account) { a.User, a.Roles, a.Flashes = user, roles, append(a.Flashes, flashes...) })
		if err := s.Save(r.Context()); err != nil {
			return err
		}
	}
	if err == nil && !old.IsNew && !again {
		old.Values[takenKey] = now.UnixMilli()
		if err := t.Old.Save(r, nowhere{}, old); err != nil {
			return fmt.Errorf("ending the old session: %w", err)
		}
	}
	gone := t.Options
	gone.MaxAge = -1
	http.SetCookie(w, sessions.NewCookie(t.Name, "", &gone))
	return nil
}

// worthless reports whether an old cookie has no session: it is forged or too old, or
// its session no longer exists. Any other error means that the store does not answer.
func worthless(err error) bool {
	var bad securecookie.Error
	return errors.As(err, &bad) && bad.IsDecode() || errors.Is(err, fs.ErrNotExist)
}

// nowhere takes the cookie that gorilla's Save sets beside writing to its store.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}
