package frameworks_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/nestsession/session/examples/frameworks"
)

func TestConnect(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]connect.ClientOption{
		"Connect": nil, "gRPC-Web": {connect.WithGRPCWeb()}, "gRPC": {connect.WithGRPC()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(frameworks.Connect(sessions(t)))
			server.EnableHTTP2 = true
			server.StartTLS()
			defer server.Close()
			c := client(t, server.Client().Transport)
			login := connect.NewClient[wrapperspb.StringValue, emptypb.Empty](c, server.URL+"/shop.Accounts/Login", options...)
			me := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](c, server.URL+"/shop.Accounts/Me", options...)
			for _, user := range []string{"", "ada", "grace"} {
				if user != "" {
					if _, err := login.CallUnary(t.Context(), connect.NewRequest(wrapperspb.String(user))); err != nil {
						t.Fatal(err)
					}
				}
				res, err := me.CallUnary(t.Context(), connect.NewRequest(new(emptypb.Empty)))
				if err != nil || res.Msg.GetValue() != user {
					t.Errorf("after the login of %q: %v, %v", user, res, err)
				}
			}
		})
	}
}

// accounts is a gRPC server behind the gateway. It believes the metadata.
type accounts interface {
	me(ctx context.Context) string
}

type server struct{}

func (server) me(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if users := md.Get("user"); len(users) > 0 {
		return users[0]
	}
	return ""
}

var description = grpc.ServiceDesc{ServiceName: "shop.Accounts", HandlerType: (*accounts)(nil), Methods: []grpc.MethodDesc{{
	MethodName: "Me",
	Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		if err := decode(new(emptypb.Empty)); err != nil {
			return nil, err
		}
		return wrapperspb.String(srv.(accounts).me(ctx)), nil
	},
}}}

// register is what protoc-gen-grpc-gateway writes for a GET of /me.
func register(mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
	return mux.HandlePath("GET", "/me", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		_, out := runtime.MarshalerForRequest(mux, r)
		ctx, err := runtime.AnnotateContext(r.Context(), mux, r, "/shop.Accounts/Me", runtime.WithHTTPPathPattern("/me"))
		if err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		answer := new(wrapperspb.StringValue)
		if err := conn.Invoke(ctx, "/shop.Accounts/Me", new(emptypb.Empty), answer); err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		runtime.ForwardResponseMessage(ctx, mux, out, w, r, answer)
	})
}

func TestGateway(t *testing.T) {
	t.Parallel()
	pipe := bufconn.Listen(1 << 16)
	backend := grpc.NewServer()
	backend.RegisterService(&description, server{})
	done := make(chan error, 1)
	go func() { done <- backend.Serve(pipe) }()
	t.Cleanup(func() { backend.Stop(); <-done })
	conn, err := grpc.NewClient("passthrough:backend", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	m := sessions(t)
	mux := frameworks.GatewayMux(m)
	if err := register(mux, conn); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(frameworks.Gateway(m, mux))
	defer front.Close()
	c := client(t, nil)
	for _, user := range []string{"", "ada", "grace"} {
		if user != "" {
			if got := ask(t, c, "POST", front.URL+"/login?user="+user); got != "" {
				t.Errorf("the login: %q", got)
			}
		}
		for _, forged := range [][]string{nil, {"Grpc-Metadata-User", "root"}, {"Grpc-Metadata-USER", "root"}} {
			if got := ask(t, c, "GET", front.URL+"/me", forged...); got != `"`+user+`"` {
				t.Errorf("after the login of %q, with the headers %v: the backend sees %s", user, forged, got)
			}
		}
	}
}

// A gRPC server in the gateway's own process has the session in its context.
func TestGatewayInOneProcess(t *testing.T) {
	t.Parallel()
	m := sessions(t)
	mux := frameworks.GatewayMux(m)
	// This is what protoc-gen-grpc-gateway writes for Register…HandlerServer.
	if err := mux.HandlePath("GET", "/me", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		_, out := runtime.MarshalerForRequest(mux, r)
		ctx, err := runtime.AnnotateIncomingContext(r.Context(), mux, r, "/shop.Accounts/Me", runtime.WithHTTPPathPattern("/me"))
		if err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		s, ok := m.From(ctx)
		if !ok {
			t.Error("no session in the context")
			return
		}
		runtime.ForwardResponseMessage(ctx, mux, out, w, r, wrapperspb.String(s.Data().User))
	}); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(frameworks.Gateway(m, mux))
	defer front.Close()
	c := client(t, nil)
	if got := ask(t, c, "POST", front.URL+"/login?user=ada"); got != "" {
		t.Errorf("the login: %q", got)
	}
	if got := ask(t, c, "GET", front.URL+"/me"); got != `"ada"` {
		t.Errorf("the server sees %s", got)
	}
}

// A stream of connect's ends with the session, and what its handler has changed before the
// first message is saved by then.
func TestConnectStream(t *testing.T) {
	t.Parallel()
	m := sessions(t)
	mux := http.NewServeMux()
	mux.Handle("/shop.Accounts/News", connect.NewServerStreamHandler("/shop.Accounts/News",
		func(ctx context.Context, _ *connect.Request[emptypb.Empty], out *connect.ServerStream[wrapperspb.StringValue]) error {
			s, err := m.Load(ctx)
			if err != nil {
				return connect.NewError(connect.CodeUnavailable, err)
			}
			ctx, stop := s.NotifyContext(ctx)
			defer stop()
			if ctx.Err() != nil {
				return connect.NewError(connect.CodeUnauthenticated, context.Cause(ctx))
			}
			s.Update(func(a *frameworks.Account) { a.User = "grace" })
			if err := out.Send(wrapperspb.String("first")); err != nil {
				return err
			}
			<-ctx.Done()
			return connect.NewError(connect.CodeUnauthenticated, context.Cause(ctx))
		}))
	mux.Handle("/", frameworks.Connect(m))
	server := httptest.NewServer(m.Handler(mux))
	defer server.Close()
	c := client(t, nil)
	login := connect.NewClient[wrapperspb.StringValue, emptypb.Empty](c, server.URL+"/shop.Accounts/Login")
	me := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](c, server.URL+"/shop.Accounts/Me")
	news := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](c, server.URL+"/shop.Accounts/News")

	open := func() *connect.ServerStreamForClient[wrapperspb.StringValue] {
		stream, err := news.CallServerStream(t.Context(), connect.NewRequest(new(emptypb.Empty)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stream.Close() })
		return stream
	}
	if visitor := open(); visitor.Receive() || connect.CodeOf(visitor.Err()) != connect.CodeUnauthenticated {
		t.Errorf("a visitor: %v", visitor.Err())
	}
	if _, err := login.CallUnary(t.Context(), connect.NewRequest(wrapperspb.String("ada"))); err != nil {
		t.Fatal(err)
	}
	stream := open()
	if !stream.Receive() || stream.Msg().GetValue() != "first" {
		t.Fatalf("%v, %v", stream.Msg(), stream.Err())
	}
	if res, err := me.CallUnary(t.Context(), connect.NewRequest(new(emptypb.Empty))); err != nil || res.Msg.GetValue() != "grace" {
		t.Errorf("while the stream is open: %v, %v", res, err)
	}
	if _, err := m.RevokeOwner(t.Context(), "user:ada"); err != nil {
		t.Fatal(err)
	}
	if stream.Receive() || connect.CodeOf(stream.Err()) != connect.CodeUnauthenticated {
		t.Errorf("after the end: %v, %v", stream.Msg(), stream.Err())
	}
}
