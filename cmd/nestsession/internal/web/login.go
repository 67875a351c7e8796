package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

func (a *App) login(w http.ResponseWriter, r *http.Request, s *Session) {
	t := text.For(r.Header)
	in, p := readFields(w, r, "username", "password", backField)
	back := a.wayBack(in[backField])
	refuse := func(p *problem) { a.writeProblem(w, r, p, loginView(t, in["username"], back, p)) }
	if p == nil {
		p = missing(t, in, map[string]string{"username": t.EnterUsername, "password": t.EnterPassword})
	}
	if p != nil {
		refuse(p)
		return
	}
	name, err := users.Name(in["username"])
	if err != nil {
		name = in["username"] // a name that cannot exist: a wrong name like any other
	}
	from := a.proxies.Address(r)
	ctx, cancel := context.WithTimeout(r.Context(), passwords.MaxWait)
	defer cancel()
	attempt, err := a.guard.Login(ctx, from, name, a.knownDevice(r, name))
	if err != nil {
		a.log.WarnContext(r.Context(), "login slowed down", slog.Any("from", from))
		refuse(a.problemOf(r, err))
		return
	}
	defer attempt.Return()
	login, err := a.users.Authenticate(ctx, in["username"], in["password"])
	if err == nil {
		err = a.enter(r, s, login)
	}
	switch {
	case errors.Is(err, users.ErrWrong):
		attempt.Wrong()
		// Not the name that was typed: it may be a password in the wrong field.
		a.log.WarnContext(r.Context(), "login failed", slog.Any("from", from))
		refuse(&problem{Status: http.StatusUnauthorized, Text: t.WrongLogin})
		return
	case errors.Is(err, users.ErrDisabled):
		a.log.WarnContext(r.Context(), "login to a disabled account", slog.Any("from", from))
		// Only a client that knows the password gets this.
		refuse(&problem{Status: http.StatusForbidden, Text: t.Disabled})
		return
	case err != nil:
		refuse(a.problemOf(r, err))
		return
	}
	attempt.Right()
	a.welcome(w, r, login.User, back, http.StatusOK)
}

// welcome answers a login or a registration that succeeded. back is the page to which it leads; ""
// stands for the account's.
func (a *App) welcome(w http.ResponseWriter, r *http.Request, u users.User, back string, status int) {
	a.log.InfoContext(r.Context(), "logged in", slog.Int64("user", u.ID), slog.Any("from", a.proxies.Address(r)))
	if !wantsPage(r.Header) {
		a.writeJSON(w, r, status, u)
		return
	}
	a.rememberDevice(w, r, u.Username)
	seeOther(w, cmp.Or(back, "/me"))
}

func (a *App) loginPage(w http.ResponseWriter, r *http.Request, s *Session) {
	back := a.backOf(r)
	if a.userOf(s) != nil {
		seeOther(w, cmp.Or(back, "/me"))
		return
	}
	t := text.For(r.Header)
	v := loginView(t, "", back, nil)
	if name := a.elsewhere(t, s); name != "" {
		v.Lead = fmt.Sprintf(t.Elsewhere, name)
	}
	if r.URL.Query().Has("logged-out") {
		v.Notice = t.LoggedOut
	}
	a.writePage(w, r, http.StatusOK, v)
}

func loginView(t *text.Text, username, back string, p *problem) view {
	return view{
		Title: t.LogIn,
		Form:  loginForm(t, username, back, p),
		Links: []link{{Before: t.NoAccount, Text: t.SignUp, URL: withBack("/register", back)}},
		Back:  back,
	}
}

func (a *App) logout(w http.ResponseWriter, r *http.Request, s *Session) {
	// A user who is logged in only at another application stays logged in there.
	if a.sharing != UsersApart || a.userOf(s) != nil {
		if err := a.leave(r.Context(), s); err != nil {
			a.sessionFailed(w, r, err)
			return
		}
	}
	// ASVS 14.3.1. Not "cookies": the session's own cookie is expired by Destroy, and that would
	// also remove those of every service under the same domain.
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	if wantsPage(r.Header) {
		seeOther(w, "/login?logged-out")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// missing is the problem of empty fields, each with a text beside it.
func missing(t *text.Text, in, texts map[string]string) *problem {
	wrong := map[string]string{}
	for name, what := range texts {
		if in[name] == "" {
			wrong[name] = what
		}
	}
	return invalid(t, wrong)
}
