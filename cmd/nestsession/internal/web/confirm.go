package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

// freshTime is how long after the password was shown sessions may be ended without
// showing it again (ASVS 7.5.2): who finds a browser open, or stole its cookie, must not be
// able to throw its user out everywhere else.
const freshTime = 10 * time.Minute

var (
	errStale = problem{Status: http.StatusForbidden,
		Text:   "It is some time since you logged in. Enter your password once more.",
		Fields: map[string]string{"current_password": "enter your current password"}}

	errNotConfirmed = problem{Status: http.StatusForbidden, Text: "Nothing was done.",
		Fields: map[string]string{"current_password": "this is not your current password"}}
)

// confirmed reports whether the user has shown the password lately, or shows it with this
// request, which then has a new session id. Otherwise it answers: action is where the
// password is to be sent.
func (a *App) confirmed(w http.ResponseWriter, r *http.Request, s *Session, action string) bool {
	d, u := s.Data(), a.userOf(s)
	_, here := a.loginOf(s, u)
	if age := a.now().Sub(s.AuthenticatedAt()); here && age >= -time.Minute && age < freshTime {
		return true
	}
	refuse := func(p *problem) bool {
		a.writeProblem(w, r, p, confirmView(action, *u, p))
		return false
	}
	in, p := readFields(w, r, "current_password")
	if p != nil {
		return refuse(p)
	}
	if in["current_password"] == "" {
		p := errStale
		return refuse(&p)
	}
	ctx, cancel := context.WithTimeout(r.Context(), passwords.MaxWait)
	defer cancel()
	attempt, err := a.guard.Password(ctx, a.proxies.Address(r), u.ID, u.Username)
	if err != nil {
		return refuse(a.problemOf(r, err))
	}
	defer attempt.Return()
	l, err := a.users.Verify(ctx, u.ID, in["current_password"])
	if errors.Is(err, users.ErrWrong) {
		attempt.Wrong()
		p := errNotConfirmed
		return refuse(&p)
	}
	if err == nil {
		attempt.Right()
		err = a.signIn(r.Context(), s, l, d.Device)
	}
	if err != nil {
		return refuse(a.problemOf(r, err))
	}
	return true
}

func confirmView(action string, u users.User, p *problem) view {
	return view{
		Title: "Confirm that it is you",
		Form:  confirmForm(action, u.Username, p),
		Links: []link{{Text: "Back to your devices", URL: "/sessions"}},
		Live:  endURL,
		User:  u.ID,
	}
}
