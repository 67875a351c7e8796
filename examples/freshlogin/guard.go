package freshlogin

import (
	"fmt"
	"net/http"
	"time"

	"github.com/nestsession/session/stepup"
)

// Protect makes the guard.
func (a *App) Protect() (err error) {
	a.Guard, err = stepup.New(a.Sessions, stepup.Config[Account]{
		Login:  "/login",
		Resume: "/login/resume",
		Form:   func(d *Account) *stepup.Form { return &d.Form },
	})
	return err
}

// Routes are the routes of the bank. A payment demands a login in the last ten minutes.
func (a *App) Routes() http.Handler {
	recent := stepup.Rule{MaxAge: 10 * time.Minute}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /payments", a.Sessions.HandlerFunc(a.Guard.Require(recent, a.payment)))
	mux.HandleFunc("GET /login", a.loginPage)
	mux.HandleFunc("POST /login", a.Sessions.HandlerFunc(a.login))
	mux.HandleFunc("GET /login/resume", a.Sessions.HandlerFunc(a.Guard.Resume))
	return http.NewCrossOriginProtection().Handler(mux)
}

func (a *App) payment(w http.ResponseWriter, r *http.Request, s *Session) {
	if err := a.Pay(r.Context(), s.Data().User, r.FormValue("to"), r.FormValue("amount")); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "paid")
}
