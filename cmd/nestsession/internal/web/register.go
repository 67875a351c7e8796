package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

func (a *App) registerPage(w http.ResponseWriter, r *http.Request, s *Session) {
	back := a.backOf(r)
	if a.userOf(s) != nil {
		seeOther(w, cmp.Or(back, "/me"))
		return
	}
	a.writePage(w, r, http.StatusOK, registerView(text.For(r.Header), "", back, nil))
}

func (a *App) register(w http.ResponseWriter, r *http.Request, s *Session) {
	t := text.For(r.Header)
	in, p := readFields(w, r, "username", "password", backField)
	back := a.wayBack(in[backField])
	refuse := func(p *problem) { a.writeProblem(w, r, p, registerView(t, in["username"], back, p)) }
	if p != nil {
		refuse(p)
		return
	}
	wrong := map[string]string{}
	name, err := users.Name(in["username"])
	if err != nil {
		wrong["username"] = nameText(t, err)
	}
	password, err := passwords.Choose(in["password"], name)
	if err != nil {
		wrong["password"] = passwordText(t, err)
	}
	if p := invalid(t, wrong); p != nil {
		refuse(p)
		return
	}
	attempt, err := a.guard.Register(r.Context(), a.proxies.Address(r))
	if err != nil {
		refuse(a.problemOf(r, err))
		return
	}
	defer attempt.Return() // what a server that is down has refused does not count
	login, err := a.users.Register(r.Context(), name, password)
	if err == nil || errors.Is(err, users.ErrTaken) {
		attempt.Wrong()
	}
	if errors.Is(err, users.ErrTaken) {
		refuse(&problem{Status: http.StatusConflict, Text: t.NameTaken,
			Fields: map[string]string{"username": t.ChooseAnother}})
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
	a.welcome(w, r, login.User, back, http.StatusCreated)
}

// nameText is the text beside the field of a username that is not accepted.
func nameText(t *text.Text, err error) string {
	switch {
	case errors.Is(err, users.ErrNoName):
		return t.EnterUsername
	case errors.Is(err, users.ErrLongName):
		return fmt.Sprintf(t.NameTooLong, users.MaxName)
	}
	return t.NameBad
}

// passwordText is the text beside the field of a new password that is not accepted.
func passwordText(t *text.Text, err error) string {
	switch {
	case errors.Is(err, passwords.ErrTooShort):
		return fmt.Sprintf(t.PasswordTooShort, passwords.MinLength)
	case errors.Is(err, passwords.ErrTooLong):
		return fmt.Sprintf(t.PasswordTooLong, passwords.MaxLength)
	case errors.Is(err, passwords.ErrIsName):
		return t.PasswordIsName
	case errors.Is(err, passwords.ErrCommon):
		return t.PasswordCommon
	}
	return t.PasswordUnusable
}

func registerView(t *text.Text, username, back string, p *problem) view {
	return view{
		Title: t.SignUp,
		Form:  registerForm(t, username, back, p),
		Links: []link{{Before: t.HaveAccount, Text: t.LogIn, URL: withBack("/login", back)}},
		Back:  back,
	}
}
