package frameworks

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Connect has procedures that find their session. The same handlers serve Connect, gRPC
// and gRPC-Web.
func Connect(m *Manager) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/shop.Accounts/Login", connect.NewUnaryHandler("/shop.Accounts/Login",
		func(ctx context.Context, req *connect.Request[wrapperspb.StringValue]) (*connect.Response[emptypb.Empty], error) {
			s, err := m.Load(ctx)
			if err != nil {
				return nil, connect.NewError(connect.CodeUnavailable, err)
			}
			user := req.Msg.GetValue() // once the password is checked
			if err := s.Login(ctx, "user:"+user); err != nil {
				return nil, connect.NewError(connect.CodeUnavailable, err)
			}
			s.Update(func(a *Account) { a.User = user })
			return connect.NewResponse(new(emptypb.Empty)), nil
		}))
	mux.Handle("/shop.Accounts/Me", connect.NewUnaryHandler("/shop.Accounts/Me",
		func(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
			s, err := m.Load(ctx)
			if err != nil {
				return nil, connect.NewError(connect.CodeUnavailable, err)
			}
			return connect.NewResponse(wrapperspb.String(s.Data().User)), nil
		}))
	return m.Handler(mux)
}
