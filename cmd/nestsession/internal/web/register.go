package web

import (
	"errors"
	"net/http"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

func (a *App) registerPage(w http.ResponseWriter, r *http.Request, s *Session) {
	if a.userOf(s) != nil {
		seeOther(w, "/me")
		return
	}
	a.writePage(w, r, http.StatusOK, registerView("", nil))
}

func (a *App) register(w http.ResponseWriter, r *http.Request, s *Session) {
	in, p := readFields(w, r, "username", "password")
	refuse := func(p *problem) { a.writeProblem(w, r, p, registerView(in["username"], p)) }
	if p != nil {
		refuse(p)
		return
	}
	wrong := map[string]string{}
	name, err := users.Name(in["username"])
	if err != nil {
		wrong["username"] = err.Error()
	}
	password, err := passwords.Choose(in["password"], name)
	if err != nil {
		wrong["password"] = err.Error()
	}
	if p := invalid(wrong); p != nil {
		refuse(p)
		return
	}
	if err := a.guard.Register(r.Context(), a.proxies.Address(r)); err != nil {
		refuse(a.problemOf(r, err))
		return
	}
	login, err := a.users.Register(r.Context(), name, password)
	if errors.Is(err, users.ErrTaken) {
		refuse(&problem{Status: http.StatusConflict, Text: "This username is taken.",
			Fields: map[string]string{"username": "choose another, or log in if it is yours"}})
		return
	}
	if err == nil {
		err = a.enter(r, s, login)
	}
	if err != nil {
		refuse(a.problemOf(r, err))
		return
	}
	if !wantsPage(r.Header) {
		w.Header().Set("Location", "/me")
	}
	a.welcome(w, r, login.User, http.StatusCreated)
}

func registerView(username string, p *problem) view {
	return view{
		Title: "Sign up",
		Form:  registerForm(username, p),
		Links: []link{{Before: "Have an account?", Text: "Log in", URL: "/login"}},
	}
}
