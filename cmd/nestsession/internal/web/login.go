package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

var errWrongLogin = problem{Status: http.StatusUnauthorized,
	Text: "Wrong username or password. Check both, and whether Caps Lock is on."}

// errDisabled is told to nobody but who knows the password.
var errDisabled = problem{Status: http.StatusForbidden,
	Text: "This account is disabled. Ask whoever runs this service."}

func (a *App) login(w http.ResponseWriter, r *http.Request, s *Session) {
	in, p := readFields(w, r, "username", "password")
	refuse := func(p *problem) { a.writeProblem(w, r, p, loginView(in["username"], p)) }
	if p == nil {
		p = missing(in, map[string]string{"username": "enter your username", "password": "enter your password"})
	}
	if p != nil {
		refuse(p)
		return
	}
	name, err := users.Name(in["username"])
	if err != nil {
		name = in["username"] // nobody's: wrong like any other that nobody has
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
		// Not what was typed as the name: it may be a password in the wrong field.
		a.log.WarnContext(r.Context(), "login failed", slog.Any("from", from))
		p := errWrongLogin
		refuse(&p)
		return
	case errors.Is(err, users.ErrDisabled):
		a.log.WarnContext(r.Context(), "login to a disabled account", slog.Any("from", from))
		p := errDisabled
		refuse(&p)
		return
	case err != nil:
		refuse(a.problemOf(r, err))
		return
	}
	attempt.Right()
	a.welcome(w, r, login.User, http.StatusOK)
}

// welcome answers a login or a registration that succeeded.
func (a *App) welcome(w http.ResponseWriter, r *http.Request, u users.User, status int) {
	a.log.InfoContext(r.Context(), "logged in", slog.Int64("user", u.ID), slog.Any("from", a.proxies.Address(r)))
	if !wantsPage(r.Header) {
		a.writeJSON(w, r, status, u)
		return
	}
	a.rememberDevice(w, r, u.Username)
	seeOther(w, "/me")
}

func (a *App) loginPage(w http.ResponseWriter, r *http.Request, s *Session) {
	if a.userOf(s) != nil {
		seeOther(w, "/me")
		return
	}
	v := loginView("", nil)
	if name := a.elsewhere(s); name != "" {
		v.Lead = elsewhereText(name)
	}
	if r.URL.Query().Has("logged-out") {
		v.Notice = "You are logged out."
	}
	a.writePage(w, r, http.StatusOK, v)
}

func loginView(username string, p *problem) view {
	return view{
		Title: "Log in",
		Form:  loginForm(username, p),
		Links: []link{{Before: "No account yet?", Text: "Sign up", URL: "/register"}},
	}
}

func (a *App) logout(w http.ResponseWriter, r *http.Request, s *Session) {
	// Who is logged in at another application alone is not logged in here, and stays so there.
	if a.sharing != UsersApart || a.userOf(s) != nil {
		if err := a.leave(r.Context(), s); err != nil {
			a.sessionFailed(w, r, err)
			return
		}
	}
	// ASVS 14.3.1. Not "cookies": the session's own is expired by its destruction, and
	// the others include those of every service under the same domain.
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	if wantsPage(r.Header) {
		seeOther(w, "/login?logged-out")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// missing is the problem of fields that are empty, each with what to write beside it.
func missing(in, texts map[string]string) *problem {
	wrong := map[string]string{}
	for name, text := range texts {
		if in[name] == "" {
			wrong[name] = text
		}
	}
	return invalid(wrong)
}
