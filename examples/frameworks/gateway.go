package frameworks

import (
	"context"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/metadata"
)

// GatewayMux passes the session's user on to the gRPC servers, as the metadata "user".
func GatewayMux(m *Manager) *runtime.ServeMux {
	return runtime.NewServeMux(runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD {
		user := "" // of a visitor: set too, so that no header of the client's stands in its place
		if s, ok := m.From(r.Context()); ok {
			user = s.Data().User
		}
		return metadata.Pairs("user", user)
	}))
}

// Gateway has the login beside the gateway's routes, and the sessions around both.
func Gateway(m *Manager, gateway *runtime.ServeMux) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *Session) {
		user := r.FormValue("user") // once the password is checked
		if err := s.Login(r.Context(), "user:"+user); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		s.Update(func(a *Account) { a.User = user })
	}))
	mux.Handle("/", gateway)
	return m.Handler(mux)
}
