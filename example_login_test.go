package session_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// A visitor fills a cart and logs in. The cart stays, the id is a new one, and the old
// one, which somebody may have planted, reads nothing of it.
func ExampleSession_Login() {
	type Account struct {
		User string   `json:"user,omitempty"`
		Cart []string `json:"cart,omitempty"`
	}
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /cart", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.Cart = append(a.Cart, "tea") })
	}))
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		before := s.ID()
		if err := s.Login(r.Context(), "user:42"); err != nil { // once the password is checked
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		s.Update(func(a *Account) { a.User = "Ada" })
		fmt.Fprintf(w, "the same id: %v, owner: %s, data: %+v\n", s.ID() == before, s.Owner(), s.Data())

		planted, err := accounts.Open(r) // another request with the old cookie
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "the old id: owner %q, data: %+v\n", planted.Owner(), planted.Data())
	}))

	ada := visitor(mux)
	ada("POST", "/cart")
	fmt.Print(ada("POST", "/login"))
	// Output:
	// the same id: false, owner: user:42, data: {User:Ada Cart:[tea]}
	// the old id: owner "", data: {User: Cart:[]}
}

// A tool finds the record of a session whose id it knows.
func ExampleRecordID() {
	type Account struct{ User string }
	kept := memstore.New(memstore.Config{})
	defer kept.Close()
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}, Store: kept})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	login := accounts.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			log.Fatal(err)
		}
		if err := s.Save(r.Context()); err != nil {
			log.Fatal(err)
		}
		// The cookie is __Host-sid, so that the scope is sid.
		rec, err := kept.Load(r.Context(), session.RecordID("sid", s.ID()))
		fmt.Println(rec.Owner, err)
	})
	login(httptest.NewRecorder(), httptest.NewRequest("POST", "https://shop.test/login", nil))
	// Output: user:42 <nil>
}
