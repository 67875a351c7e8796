package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// freshTime is how long after the password was given sessions may be ended without giving it again
// (ASVS 7.5.2): a person who finds a browser open, or has stolen its cookie, must not be able to
// log its user out everywhere else.
const freshTime = 10 * time.Minute

// confirmed reports whether the user has given the password recently, or gives it with this
// request, which then gets a new session id. Otherwise it answers the request: action is where the
// password is to be sent.
func (a *App) confirmed(w http.ResponseWriter, r *http.Request, s *Session, action string) bool {
	t, u := text.For(r.Header), a.userOf(s)
	_, here := a.loginOf(s, u)
	if age := a.now().Sub(s.AuthenticatedAt()); here && age >= -time.Minute && age < freshTime {
		return true
	}
	refuse := func(p *problem) bool {
		a.writeProblem(w, r, p, confirmView(t, action, *u, p))
		return false
	}
	in, p := readFields(w, r, "current_password")
	if p != nil {
		return refuse(p)
	}
	if in["current_password"] == "" {
		return refuse(&problem{Status: http.StatusForbidden, Text: t.ConfirmAgain,
			Fields: map[string]string{"current_password": t.EnterCurrent}})
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
		return refuse(&problem{Status: http.StatusForbidden, Text: t.NothingDone,
			Fields: map[string]string{"current_password": t.WrongCurrent}})
	}
	if err == nil {
		attempt.Right()
		err = a.signIn(r.Context(), s, l)
	}
	if err != nil {
		return refuse(a.problemOf(r, err))
	}
	return true
}

func confirmView(t *text.Text, action string, u users.User, p *problem) view {
	return view{
		Title: t.ConfirmTitle,
		Form:  confirmForm(t, action, u.Username, p),
		Links: []link{{Text: t.ToDevices, URL: "/sessions"}},
		Live:  endURL,
		User:  u.ID,
	}
}
