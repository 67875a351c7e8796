package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/nestsession/session"
)

// The session ends and an empty one begins under another id: nothing of what was there
// remains, except what is taken over by hand. At a login take Login.
func ExampleSession_Regenerate() {
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
	mux.HandleFunc("POST /begin", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		before, cart := s.ID(), s.Data().Cart
		if err := s.Regenerate(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "the same id: %v, data: %+v\n", s.ID() == before, s.Data())
		s.Update(func(a *Account) { a.User, a.Cart = "Ada", cart })
		fmt.Fprintf(w, "data: %+v\n", s.Data())
	}))

	ada := visitor(mux)
	ada("POST", "/cart")
	fmt.Print(ada("POST", "/begin"))
	// Output:
	// the same id: false, data: {User: Cart:[]}
	// data: {User:Ada Cart:[tea]}
}

// At a change of privilege the session goes on under a new id. A request that was under
// way with the old one is not logged out.
func ExampleSession_Renew() {
	type Account struct {
		Roles []string `json:"roles,omitempty"`
	}
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.Roles = []string{"member"} }) // after Login, see there
	}))
	mux.HandleFunc("POST /admin", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		before := s.ID()
		s.Update(func(a *Account) { a.Roles = append(a.Roles, "admin") })
		if err := s.Renew(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "the same id: %v, data: %+v\n", s.ID() == before, s.Data())

		late, err := accounts.Open(r) // another request with the old cookie
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "the same session: %v, data: %+v\n", late.Digest() == s.Digest(), late.Data())
	}))

	ada := visitor(mux)
	ada("POST", "/login")
	fmt.Print(ada("POST", "/admin"))
	// Output:
	// the same id: false, data: {Roles:[member admin]}
	// the same session: true, data: {Roles:[member admin]}
}

// After a logout a copy of the cookie is useless.
func ExampleSession_Destroy() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.User = "Ada" }) // after Login, see there
	}))
	mux.HandleFunc("POST /logout", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Destroy(r.Context()); err != nil {
			http.Error(w, "you are still logged in: try again", http.StatusServiceUnavailable)
			return
		}
		copied, err := accounts.Open(r) // what comes of the same cookie now
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "new: %v, user: %q\n", copied.IsNew(), copied.Data().User)
	}))

	ada := visitor(mux)
	ada("POST", "/login")
	fmt.Print(ada("POST", "/logout"))
	// Output: new: true, user: ""
}

// The function given to Update is run again on what another request has saved
// meanwhile, so that neither change is lost.
func ExampleSession_Update() {
	type Cart struct {
		Items []string `json:"items"`
	}
	carts, err := session.New[Cart](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer carts.Close()

	mux := http.NewServeMux()
	ada := visitor(mux)
	mux.HandleFunc("POST /cart", carts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Cart]) {
		item := r.FormValue("item") // read before, so that the function can be repeated
		s.Update(func(c *Cart) { c.Items = append(c.Items, item) })
		if item == "milk" {
			ada("POST", "/cart?item=sugar") // from another tab, before this one is saved
		}
	}))
	mux.HandleFunc("GET /cart", carts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Cart]) {
		fmt.Fprintln(w, s.Data().Items)
	}))

	ada("POST", "/cart?item=tea")
	ada("POST", "/cart?item=milk")
	fmt.Print(ada("GET", "/cart"))
	// Output: [tea sugar milk]
}

// Save comes before work that must not be done for a change that is lost.
func ExampleSession_Save() {
	type Order struct {
		Items []string `json:"items"`
	}
	orders, err := session.New[Order](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer orders.Close()

	ship := func(items []string) { fmt.Println("shipping", items) }
	order := orders.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Order]) {
		s.Update(func(o *Order) { o.Items = []string{"tea"} })
		if err := s.Save(r.Context()); err != nil {
			http.Error(w, "nothing was ordered: try again", http.StatusServiceUnavailable)
			return
		}
		ship(s.Data().Items)
	})

	visitor(order)("POST", "/order")
	// Output: shipping [tea]
}

// A request that lasts, such as a stream of events, looks from time to time what has
// become of its session.
func ExampleSession_Reload() {
	type Inbox struct {
		Items []string `json:"items"`
	}
	inboxes, err := session.New[Inbox](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer inboxes.Close()

	mux := http.NewServeMux()
	ada := visitor(mux)
	mux.HandleFunc("POST /mail", inboxes.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Inbox]) {
		s.Update(func(i *Inbox) { i.Items = append(i.Items, "a mail") })
	}))
	mux.HandleFunc("POST /logout", inboxes.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Inbox]) {
		if err := s.Destroy(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))
	mux.HandleFunc("GET /events", inboxes.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Inbox]) {
		for _, meanwhile := range []string{"/mail", "/logout"} {
			ada("POST", meanwhile)
			err := s.Reload(r.Context())
			if errors.Is(err, session.ErrRevoked) {
				fmt.Println("logged out")
				return
			}
			fmt.Println("unread:", len(s.Data().Items), err)
		}
	}))

	ada("POST", "/mail")
	ada("GET", "/events")
	// Output:
	// unread: 2 <nil>
	// logged out
}

// Whatever the verb, a session prints as the digest that events have, and its id does
// not get into a log by accident.
func ExampleSession_Format() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	page := accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.User = "Ada" })
		id, digest := s.ID(), s.Digest()
		printed := fmt.Sprintf("%+v", s)
		fmt.Println(strings.Contains(printed, id), strings.Contains(printed, digest))
	})
	visitor(page)("GET", "/")
	// Output: false true
}
