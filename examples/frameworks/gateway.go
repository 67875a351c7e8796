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
		user := "" // set for a visitor too, so that a client's header is not used instead
		if s, ok := m.From(r.Context()); ok {
			user = s.Data().User
		}
		return metadata.Pairs("user", user)
	}))
}

// Gateway adds the login to the gateway's routes, and wraps both with the sessions.
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
