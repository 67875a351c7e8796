package stepup_test

import (
	"fmt"
	"html"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/stepup"
)

// A payment demands a login of the last ten minutes. The form that the user has posted waits
// in the session until the user has logged in again.
func ExampleGuard() {
	type Account struct {
		User string      `json:"user,omitempty"`
		Form stepup.Form `json:"form,omitzero"`
	}
	now := time.Now()
	clock := func() time.Time { return now }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}, Now: clock})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	guard, err := stepup.New(accounts, stepup.Config[Account]{
		Login:  "/login",
		Resume: "/login/resume",
		Form:   func(a *Account) *stepup.Form { return &a.Form },
		Now:    clock,
	})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<form method="post"><input type="hidden" name="next" value="%s">…</form>`, html.EscapeString(stepup.Next(r)))
	})
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:42", "password"); err != nil { // once the password is checked
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, stepup.Next(r), http.StatusSeeOther)
	}))
	mux.HandleFunc("GET /login/resume", accounts.HandlerFunc(guard.Resume))
	pay := guard.Require(stepup.Rule{MaxAge: 10 * time.Minute}, func(w http.ResponseWriter, r *http.Request, _ *session.Session[Account]) {
		fmt.Fprintln(w, "paid to", r.FormValue("to"))
	})
	mux.HandleFunc("POST /pay", accounts.HandlerFunc(pay))

	ada := visitor(mux)
	ada("POST", "/login", "")
	fmt.Print(ada("POST", "/pay", "to=bob").Body)
	now = now.Add(time.Hour)
	back := ada("POST", "/pay", "to=bob").Header().Get("Location")
	fmt.Println(back[:len("/login?next=")])
	back = ada("POST", back, "").Header().Get("Location")
	fmt.Println(back[:len("/login/resume?form=")])
	fmt.Println(ada("GET", back, "").Code) // the page with the form
	fmt.Print(ada("POST", "/pay", "to=bob").Body)
	// Output:
	// paid to bob
	// /login?next=
	// /login/resume?form=
	// 200
	// paid to bob
}

// The response to a program says what is missing.
func ExampleNew() {
	accounts, err := session.New[account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	guard, err := stepup.New(accounts, stepup.Config[account]{})
	if err != nil {
		log.Fatal(err)
	}
	rule := stepup.Rule{MaxAge: 5 * time.Minute, Methods: []string{"password", "totp"}}
	keys := accounts.Handler(guard.Handler(rule, http.NotFoundHandler()))
	w := httptest.NewRecorder()
	keys.ServeHTTP(w, httptest.NewRequest("GET", "https://shop.test/keys", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 403 {"type":"https://www.rfc-editor.org/rfc/rfc9470.html#section-3","title":"A newer or stronger login is needed","status":403,"detail":"Log in again, and then repeat the request.","error":"insufficient_user_authentication","missing":["login","acr_values"],"max_age":300,"acr_values":"password totp"}
}

// The way back is a path of this site.
func ExampleNext() {
	for _, query := range []string{"next=%2Fkeys%3Fof%3Dada", "next=%2F%2Fevil.test", ""} {
		fmt.Println(stepup.Next(httptest.NewRequest("GET", "/login?"+query, nil)))
	}
	// Output:
	// /keys?of=ada
	// /
	// /
}

// A handler that decides by itself asks the rule.
func ExampleRule_Check() {
	accounts, err := session.New[account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	rule := stepup.Rule{MaxAge: 10 * time.Minute}
	h := accounts.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		fmt.Println(rule.Check(s, time.Now()) == nil)
		if err := s.Login(r.Context(), "user:42"); err != nil {
			log.Fatal(err)
		}
		fmt.Println(rule.Check(s, time.Now()) == nil)
	})
	h(httptest.NewRecorder(), httptest.NewRequest("GET", "https://shop.test/", nil))
	// Output:
	// false
	// true
}
