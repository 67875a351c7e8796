package freshlogin

import (
	"html/template"
	"net/http"

	"github.com/nestsession/session/stepup"
)

var loginForm = template.Must(template.New("login").Parse(`<!doctype html><title>Log in</title>
<form method="post" action="/login">
<input type="hidden" name="next" value="{{.}}">
<label>Name <input name="user"></label>
<label>Password <input name="password" type="password"></label>
<button>Log in</button></form>
`))

// loginPage keeps the path of the page in its form.
func (a *App) loginPage(w http.ResponseWriter, r *http.Request) {
	_ = loginForm.Execute(w, stepup.Next(r))
}

// login is for visitors, and for users whose login is too old: the same user's session keeps
// its data.
func (a *App) login(w http.ResponseWriter, r *http.Request, s *Session) {
	user := r.FormValue("user")
	if !a.Authenticate(r.Context(), user, r.FormValue("password")) {
		http.Error(w, "wrong name or password", http.StatusUnauthorized)
		return
	}
	if err := s.Login(r.Context(), "user:"+user, "password"); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	s.Update(func(d *Account) { d.User = user })
	http.Redirect(w, r, stepup.Next(r), http.StatusSeeOther)
}
