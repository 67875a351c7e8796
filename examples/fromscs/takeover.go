// Package fromscs is the code of docs/guides/from-scs.md: an application that was on
// scs, and takes its visitors over one by one without logging them out.
package fromscs

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/nestsession/session"
)

// Account is what the application keeps in a session. Under scs these were three
// values under the keys "user", "visits" and "cart".
type Account struct {
	User   string   `json:"user,omitempty"`
	Visits int      `json:"visits,omitempty"`
	Cart   []string `json:"cart,omitempty"`
}

// grace is how long an old session goes on after it was taken over, for the requests
// that the browser sent before it had the new cookie.
const grace = 30 * time.Second

// Takeover makes a session here of the one that a visitor has with scs.
type Takeover struct {
	Sessions *session.Manager[Account]
	Old      *scs.SessionManager // as the old application set it up: Store, Cookie, Codec, HashTokenInStore
}

// Handler wraps the routes. A request without the old cookie costs nothing.
func (t *Takeover) Handler(next http.Handler) http.Handler {
	return t.Sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie(t.Old.Cookie.Name); err == nil {
			if err := t.take(w, r, c.Value); err != nil {
				slog.ErrorContext(r.Context(), "taking over a session of scs", "error", err)
				http.Error(w, "try again", http.StatusServiceUnavailable)
				return
			}
		}
		next.ServeHTTP(w, r)
	}))
}

// take copies the old session if this visitor is not logged in here, and ends it.
func (t *Takeover) take(w http.ResponseWriter, r *http.Request, token string) error {
	s, err := t.Sessions.Load(r.Context())
	if err != nil {
		return err
	}
	old, err := t.Old.Load(r.Context(), token)
	if err != nil {
		return fmt.Errorf("loading the scs session: %w", err)
	}
	if user := t.Old.GetString(old, "user"); user != "" && s.Data().User == "" {
		if err := s.Login(r.Context(), "user:"+user); err != nil { // a new id, and the owner
			return err
		}
		visits := t.Old.GetInt(old, "visits")
		cart, _ := t.Old.Get(old, "cart").([]string)
		s.Update(func(a *Account) { a.User, a.Visits, a.Cart = user, visits, cart })
		if err := s.Save(r.Context()); err != nil {
			return err
		}
	}
	// From here on the new session counts. The old one is not extended by a second request.
	if end := time.Now().Add(grace); t.Old.Token(old) != "" && t.Old.Deadline(old).After(end) {
		t.Old.SetDeadline(old, end)
		if _, _, err := t.Old.Commit(old); err != nil {
			return fmt.Errorf("ending the scs session: %w", err)
		}
	}
	t.Old.WriteSessionCookie(old, w, "", time.Time{}) // removes it from the browser
	return nil
}
