package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/nestsession/session"
)

// locks is a small extension: a session that its user has locked is refused, except where it
// is unlocked. The lock is a note, so the application's data do not know of it.
type locks struct{}

var errLocked = errors.New("the session is locked")

func (locks) Admit(_ context.Context, r *http.Request, s *session.Session[map[string]any]) (until time.Time, err error) {
	if s.Note("locks") != "" && r.URL.Path != "/unlock" {
		return until, errLocked
	}
	return until, nil
}

func (locks) LoggedIn(http.Header, string, time.Time) {}

// What an extension, such as package devicebound, does with the sessions of a manager.
func ExampleManager_SetGuard() {
	sessions, err := session.New[map[string]any](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusForbidden)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	sessions.SetGuard(locks{})

	mux := http.NewServeMux()
	set := func(note string) http.HandlerFunc {
		return sessions.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[map[string]any]) {
			s.UpdateNote("locks", func(string) string { return note })
		})
	}
	mux.HandleFunc("POST /lock", set("locked"))
	mux.HandleFunc("POST /unlock", set(""))
	mux.HandleFunc("GET /me", sessions.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[map[string]any]) {
		fmt.Fprintln(w, "hello")
	}))

	ada := visitor(mux)
	ada("POST", "/lock")
	fmt.Print(ada("GET", "/me"))
	ada("POST", "/unlock")
	fmt.Print(ada("GET", "/me"))
	// Output:
	// the session is locked
	// hello
}

// An extension signs what it gives to browsers with a key of its own. Each node has the same.
func ExampleManager_DeriveKeys() {
	config := session.Config{Secrets: []string{"a new secret of 16 bytes or more", "the secret from before"}}
	one, err := session.New[map[string]any](config)
	if err != nil {
		log.Fatal(err)
	}
	defer one.Close()
	other, err := session.New[map[string]any](config)
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()

	keys := one.DeriveKeys("links in letters") // the first signs, all verify
	fmt.Println(len(keys), string(keys[0]) == string(other.DeriveKeys("links in letters")[0]))
	// Output: 2 true
}
