package howto

import (
	"net/http"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// Tenants are shops of several owners in one process, each under its own host name.
type Tenants map[string]*Manager

// NewTenants makes a manager for each host. They share the secret and the store.
func NewTenants(secret string, kept store.Store, hosts ...string) (Tenants, error) {
	tenants := Tenants{}
	for _, host := range hosts {
		m, err := session.New[Account](session.Config{
			Secrets: []string{secret},
			Store:   kept,
			Scope:   host, // so that a cookie of one host is useless at another
		})
		if err != nil {
			return nil, err
		}
		tenants[host] = m
	}
	return tenants, nil
}

// HandlerFunc gives a handler the session of the host that the request is for.
func (t Tenants) HandlerFunc(next func(http.ResponseWriter, *http.Request, *Session)) http.Handler {
	handlers := map[string]http.Handler{}
	for host, m := range t {
		handlers[host] = m.HandlerFunc(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := handlers[r.Host]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
