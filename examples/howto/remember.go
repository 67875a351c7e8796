package howto

import (
	"net/http"
	"time"

	"github.com/nestsession/session"
)

// remembered is how long an unused session lives, if the user has asked for it.
const remembered = 60 * 24 * time.Hour

// RememberConfig are the settings that "remember me" needs.
func RememberConfig(secret string) session.Config {
	return session.Config{
		Secrets:         []string{secret},
		IdleTimeout:     2 * time.Hour,        // other users are logged out after two hours,
		Cookie:          session.Cookie{},     // or when the browser closes
		AbsoluteTimeout: 365 * 24 * time.Hour, // at least as long as remembered
	}
}

// Remember comes after the login. It sets the lifetime in both cases, because a session
// from before the login keeps its lifetime.
func Remember(r *http.Request, s *Session) {
	if r.FormValue("remember") != "" {
		s.SetMaxAge(remembered)
	} else {
		s.SetMaxAge(0) // the lifetime of the Config
	}
}
