package devicebound_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
)

// The response to a login asks the browser for a key. Nothing else of the application changes.
func ExampleNew() {
	type Account struct {
		User string `json:"user,omitempty"`
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	binding, err := devicebound.New(sessions, devicebound.Config{
		Exclude: []string{"/login", "/logout", "/static"},
	})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		s.Update(func(a *Account) { a.User = "Ada" })
		http.Redirect(w, r, "/me", http.StatusSeeOther)
	}))
	app := binding.Handler(mux) // for http.ListenAndServeTLS

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("POST", "https://shop.test/login", nil))
	asks, _, _ := strings.Cut(w.Header().Get("Secure-Session-Registration"), "challenge")
	fmt.Println(w.Code, asks)
	fmt.Println(binding.Stats().Asked, "login")
	// Output:
	// 303 (ES256 RS256);path="/dbsc/register";
	// 1 login
}

// One log has what happens to sessions and to their keys.
func ExampleEvent_SessionEvent() {
	e := devicebound.Event{Kind: devicebound.EventRefused, Reason: devicebound.ReasonNoProof, Digest: "572948082d33e76b57cd3132"}
	of := e.SessionEvent()
	fmt.Println(of.Kind, of.Reason, of.Digest)

	e.Kind, e.Reason = devicebound.EventRegistered, ""
	fmt.Println(e.SessionEvent().Kind)
	// Output:
	// rejected device: no proof 572948082d33e76b57cd3132
	// device key registered
}
