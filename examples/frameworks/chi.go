package frameworks

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// Chi has handlers that declare their session, and one that finds it.
func Chi(m *Manager) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer) // outside of the sessions
	r.Post("/login", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *Session) {
		user := r.FormValue("user") // once the password is checked
		if err := s.Login(r.Context(), "user:"+user); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		s.Update(func(a *Account) { a.User = user })
	}))
	r.With(m.Handler).Get("/me", func(w http.ResponseWriter, r *http.Request) {
		if s, ok := m.From(r.Context()); ok {
			fmt.Fprint(w, s.Data().User)
		}
	})
	return r
}
