package session_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/nestsession/session"
)

// Without a type of its own, the data are a map. Value reads a key as the type that
// was put there.
func ExampleValue() {
	sessions, err := session.New[map[string]any](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /cart", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
		session.Put(s, "items", []string{"tea", "milk"})
		session.Put(s, "total", 12)
	}))
	mux.HandleFunc("GET /cart", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
		items, _ := session.Value[[]string](s, "items")
		total, _ := session.Value[int](s, "total")
		_, coupon := session.Value[string](s, "coupon")
		fmt.Fprintln(w, items, total, coupon)
	}))

	ada := visitor(mux)
	ada("POST", "/cart")
	fmt.Print(ada("GET", "/cart"))
	// Output: [tea milk] 12 false
}

// Put sets one key and leaves those alone that other requests set at the same time.
func ExamplePut() {
	sessions, err := session.New[map[string]any](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()

	mux := http.NewServeMux()
	ada := visitor(mux)
	mux.HandleFunc("POST /set", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
		session.Put(s, r.FormValue("key"), r.FormValue("value"))
		if r.FormValue("key") == "language" {
			ada("POST", "/set?key=theme&value=dark") // from another tab, before this one is saved
		}
	}))
	mux.HandleFunc("GET /", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
		fmt.Fprintln(w, s.Data())
	}))

	ada("POST", "/set?key=zone&value=UTC")
	ada("POST", "/set?key=language&value=ko")
	fmt.Print(ada("GET", "/"))
	// Output: map[language:ko theme:dark zone:UTC]
}

// A message for the next page only.
func ExampleDelete() {
	sessions, err := session.New[map[string]any](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /order", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
		session.Put(s, "flash", "Thank you!")
	}))
	mux.HandleFunc("GET /", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
		flash, ok := session.Value[string](s, "flash")
		if ok {
			session.Delete(s, "flash")
		}
		fmt.Fprintf(w, "%q\n", flash)
	}))

	ada := visitor(mux)
	ada("POST", "/order")
	fmt.Print(ada("GET", "/"), ada("GET", "/"))
	// Output:
	// "Thank you!"
	// ""
}
