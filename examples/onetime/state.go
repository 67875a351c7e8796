package onetime

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"

	"github.com/nestsession/session"
)

// OAuth logs users in at a provider.
type OAuth struct {
	Authorize string // the provider's page
	Exchange  func(r *http.Request, code string) (user string, err error)
}

// Begin sends the user to the provider.
func (o *OAuth) Begin(w http.ResponseWriter, r *http.Request, s *Session) {
	state := rand.Text() // before Update, whose function may run again
	s.Update(func(a *Account) { a.State = state })
	http.Redirect(w, r, o.Authorize+"?"+url.Values{"state": {state}}.Encode(), http.StatusSeeOther)
}

// Callback handles the provider's redirect. A state is valid once: of
// several requests with it, only one passes the check.
func (o *OAuth) Callback(w http.ResponseWriter, r *http.Request, s *Session) {
	came := r.FormValue("state")
	ours, err := session.Take(r.Context(), s, func(a *Account) bool {
		if a.State == "" || subtle.ConstantTimeCompare([]byte(a.State), []byte(came)) != 1 {
			return false
		}
		a.State = ""
		return true
	})
	if err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	if !ours {
		http.Error(w, "this login was not begun here, or is over: begin again", http.StatusForbidden)
		return
	}
	user, err := o.Exchange(r, r.FormValue("code"))
	if err != nil {
		http.Error(w, "the provider did not log you in: begin again", http.StatusForbidden)
		return
	}
	if err := s.Login(r.Context(), "user:"+user); err != nil { // a new id, and the owner
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	s.Update(func(a *Account) { a.User = user })
}
