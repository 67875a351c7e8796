package howto_test

import (
	"net/http"
	"testing"

	"github.com/nestsession/session/examples/howto"
	"github.com/nestsession/session/examples/internal/browser"
	"github.com/nestsession/session/store/memstore"
)

// A user logs in on five devices, and on a sixth after the logout on one of them.
func TestLimit(t *testing.T) {
	t.Parallel()
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = kept.Close() })
	m, err := howto.NewLimited("a secret of 16 bytes or more", kept)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *howto.Session) {
		if err := s.Login(r.Context(), "user:1"); err != nil {
			howto.Refused(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("POST /logout", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *howto.Session) {
		if err := s.Destroy(r.Context()); err != nil {
			howto.Refused(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	first, sixth := browser.New(), browser.New()
	for i, b := range []*browser.Browser{first, browser.New(), browser.New(), browser.New(), browser.New()} {
		if got := b.Visit(mux, "POST", "/login"); got != "204" {
			t.Fatalf("login %d: %s", i+1, got)
		}
	}
	if got := sixth.Visit(mux, "POST", "/login"); got != "409" {
		t.Errorf("the sixth login: %s", got)
	}
	first.Visit(mux, "POST", "/logout")
	if got := sixth.Visit(mux, "POST", "/login"); got != "204" {
		t.Errorf("the sixth login after a logout: %s", got)
	}
}
