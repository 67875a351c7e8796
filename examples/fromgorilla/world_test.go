package fromgorilla_test

import (
	"encoding/gob"
	"fmt"
	"net/http"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/fromgorilla"
)

const oldName = "session-name"

// As the old application's main has it.
func init() { gob.Register([]string{}) }

// oldApplication is one on gorilla/sessions, as its documentation has it.
func oldApplication(store sessions.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, oldName)
		s.Values["user"] = r.FormValue("user")
		s.Values["roles"] = []string{"admin"}
		s.AddFlash("hello")
		if err := s.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, oldName)
		fmt.Fprint(w, s.Values["user"], " ", err)
	})
	return mux
}

// world is the application before and after the move.
type world struct {
	takeover *fromgorilla.Takeover
	old, new http.Handler
	sessions *session.Manager[fromgorilla.Account]
}

var (
	authentication = []byte("thirty-two bytes that sign cookies")
	encryption     = []byte("sixteen bytes!!!")
)

// stores are the ways of gorilla's own to keep a session.
func stores(t *testing.T) map[string]sessions.Store {
	return map[string]sessions.Store{
		"cookie":           sessions.NewCookieStore(authentication),
		"encrypted cookie": sessions.NewCookieStore(authentication, encryption),
		"files":            sessions.NewFilesystemStore(t.TempDir(), authentication, encryption),
	}
}

func setup(t *testing.T, store sessions.Store) *world {
	t.Helper()
	m, err := session.New[fromgorilla.Account](session.Config{Secrets: []string{"a secret of this test"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	takeover := &fromgorilla.Takeover{Sessions: m, Old: store, Name: oldName, Options: sessions.Options{Path: "/"}}
	return &world{takeover: takeover, old: oldApplication(store), new: fromgorilla.Routes(takeover), sessions: m}
}
