package howto

import (
	"fmt"
	"net/http"
	"strings"
)

// Greeting is what a page says to the visitor.
func Greeting(s *Session) string {
	if name := s.Data().Nickname; name != "" {
		return "Hello, " + name
	}
	return "Hello"
}

// SetNickname changes the name that the user is greeted by.
func (a *App) SetNickname(w http.ResponseWriter, r *http.Request, s *Session) {
	name := strings.TrimSpace(r.FormValue("nickname"))
	if name == "" {
		http.Error(w, "a name, please", http.StatusUnprocessableEntity)
		return
	}
	s.Update(func(d *Account) { d.Nickname = name })
	fmt.Fprintln(w, Greeting(s))
}
