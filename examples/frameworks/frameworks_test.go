package frameworks_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	coder "github.com/coder/websocket"
	fastwebsocket "github.com/fasthttp/websocket"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gofiber/fiber/v3"
	fiberrecover "github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/gorilla/handlers"
	echo5 "github.com/labstack/echo/v5"
	echo5middleware "github.com/labstack/echo/v5/middleware"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/nestsession/session/examples/frameworks"
	"github.com/nestsession/session/fibersession"
)

// all are the frameworks, each with its recoverer inside and outside of the sessions.
var all = map[string]framework{
	"chi, Recoverer outside": {serve: onHTTP(func(m *frameworks.Manager) http.Handler { return chiSite(m, middleware.Recoverer, m.Handler) }), lacks: with(noErrors, noCookie)},
	"chi, Recoverer inside":  {serve: onHTTP(func(m *frameworks.Manager) http.Handler { return chiSite(m, m.Handler, middleware.Recoverer) }), lacks: noErrors},
	"gin, WrapF, Recovery outside": {serve: onHTTP(ginRoutes), lacks: with(with(noErrors, noCookie), map[string]string{
		"WebSocket": "gin sends the 101 only when its own writer is asked, which WrapF hides from coder/websocket", "WebSocket of a visitor": "as above",
	})},
	"gin, Recovery inside": {serve: onHTTP(func(m *frameworks.Manager) http.Handler { return m.Handler(ginSite(m)) })},
	"echo, the engine wrapped": {serve: onHTTP(func(m *frameworks.Manager) http.Handler {
		return m.Handler(echoSite(m, echo5middleware.Recover()))
	})},
	"echo, WrapMiddleware": {serve: onHTTP(func(m *frameworks.Manager) http.Handler {
		return echoSite(m, echo5middleware.Recover(), echo5.WrapMiddleware(m.Handler))
	}), lacks: map[string]string{
		"error after update": "echo makes a page of an error when WrapMiddleware has returned, so that the changes are saved", "error after login": "as above",
	}},
	"fiber, recover outside": {serve: onFiber(func(m *frameworks.Manager) []any { return []any{fiberrecover.New(), fibersession.New(m)} }, found)},
	"fiber, recover inside":  {serve: onFiber(func(m *frameworks.Manager) []any { return []any{fibersession.New(m), fiberrecover.New()} }, found)},
	"fiber, typed handlers":  {serve: onFiber(func(*frameworks.Manager) []any { return []any{fiberrecover.New()} }, nil)},
	"fiber, typed handlers in New": {serve: onFiber(func(m *frameworks.Manager) []any {
		return []any{fibersession.New(m), fiberrecover.New()}
	}, nil)},
	"fiber, Open and Commit by hand, recover outside": {serve: onFiber(func(m *frameworks.Manager) []any { return []any{fiberrecover.New(), frameworks.ByHand(m)} }, frameworks.FoundByHand)},
	"fiber, Open and Commit by hand, recover inside":  {serve: onFiber(func(m *frameworks.Manager) []any { return []any{frameworks.ByHand(m), fiberrecover.New()} }, frameworks.FoundByHand)},
	"connect, recover outside": rpc(func(m *frameworks.Manager) http.Handler {
		return handlers.RecoveryHandler(handlers.RecoveryLogger(log.New(io.Discard, "", 0)))(m.Handler(connectSite(m)))
	}, noCookie),
	"connect, recover inside": rpc(func(m *frameworks.Manager) http.Handler {
		return m.Handler(connectSite(m, connect.WithRecover(func(context.Context, connect.Spec, http.Header, any) error {
			return connect.NewError(connect.CodeInternal, errors.New("sorry"))
		})))
	}, map[string]string{}),
}

// noCookie is for a recoverer outside of the sessions in net/http.
var noCookie = map[string]string{"panic after login": "the recoverer's response does not pass through the sessions; an event reports that the cookie is not sent"}

// noErrors is for handlers that return no error.
var noErrors = map[string]string{
	"error after update": "a handler returns no error; it answers itself", "error after login": "as above",
	"error after logout": "as above",
}

// with returns both maps in one.
func with(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

func onHTTP(build func(*frameworks.Manager) http.Handler) func(*testing.T, *frameworks.Manager) string {
	return func(t *testing.T, m *frameworks.Manager) string {
		server := httptest.NewUnstartedServer(build(m))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.Start()
		t.Cleanup(server.Close)
		return server.URL
	}
}

// write answers as a handler of net/http's does.
func (o outcome) write(w http.ResponseWriter) {
	w.Header().Set("X-Page", "yes")
	switch {
	case o.panics:
		panic("oops")
	case o.err != 0:
		http.Error(w, oops(o.err), o.err)
	default:
		if o.location != "" {
			w.Header().Set("Location", o.location)
		}
		w.WriteHeader(status(o))
		fmt.Fprint(w, o.text)
	}
}

// streams is /stream in net/http.
func streams(w http.ResponseWriter, r *http.Request, s *sess) {
	ctx, stop := s.NotifyContext(r.Context())
	defer stop()
	if ctx.Err() != nil {
		http.Error(w, "not logged in", http.StatusUnauthorized)
		return
	}
	s.Update(func(a *frameworks.Account) { a.User = r.URL.Query().Get("user") })
	streamed(ctx, func(text string) error {
		_, err := fmt.Fprintln(w, text)
		return errors.Join(err, http.NewResponseController(w).Flush())
	})
}

// sockets is /socket in net/http.
func sockets(w http.ResponseWriter, r *http.Request, s *sess) {
	s.Update(func(a *frameworks.Account) { a.User = r.URL.Query().Get("user") })
	if err := s.Save(r.Context()); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	ctx, stop := s.NotifyContext(r.Context())
	defer stop()
	conn, err := coder.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow() //nolint:errcheck // it is over
	streamed(ctx, func(text string) error { return conn.Write(ctx, coder.MessageText, []byte(text)) })
}

func chiSite(m *frameworks.Manager, all ...func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(all...)
	with := func(h func(http.ResponseWriter, *http.Request, *sess)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if s, ok := m.From(r.Context()); ok {
				h(w, r, s)
			}
		}
	}
	for path, p := range pages {
		r.Post(path, with(func(w http.ResponseWriter, r *http.Request, s *sess) {
			p(r.Context(), s, r.URL.Query().Get("user")).write(w)
		}))
	}
	r.Post("/stream", with(streams))
	r.Get("/socket", with(sockets))
	return r
}

// ginRoutes has the sessions within each route.
func ginRoutes(m *frameworks.Manager) http.Handler {
	g := gin.New()
	g.Use(gin.RecoveryWithWriter(io.Discard))
	for path, p := range pages {
		g.POST(path, gin.WrapF(m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *sess) {
			p(r.Context(), s, r.URL.Query().Get("user")).write(w)
		})))
	}
	g.POST("/stream", gin.WrapF(m.HandlerFunc(streams)))
	g.GET("/socket", gin.WrapF(m.HandlerFunc(sockets)))
	return g
}

// ginSite has an error handler, as gin's pages describe it.
func ginSite(m *frameworks.Manager) http.Handler {
	g := gin.New()
	g.Use(gin.RecoveryWithWriter(io.Discard))
	g.Use(func(c *gin.Context) {
		c.Next()
		if e := c.Errors.Last(); e != nil {
			c.String(e.Meta.(int), e.Error())
		}
	})
	with := func(h func(*gin.Context, *sess)) gin.HandlerFunc {
		return func(c *gin.Context) {
			if s, ok := m.From(c.Request.Context()); ok {
				h(c, s)
			}
		}
	}
	for path, p := range pages {
		g.POST(path, with(func(c *gin.Context, s *sess) {
			o := p(c.Request.Context(), s, c.Query("user"))
			if o.err != 0 {
				_ = c.Error(errors.New(oops(o.err))).SetMeta(o.err)
				return
			}
			o.write(c.Writer)
		}))
	}
	g.POST("/stream", with(func(c *gin.Context, s *sess) { streams(c.Writer, c.Request, s) }))
	g.GET("/socket", with(func(c *gin.Context, s *sess) { sockets(c.Writer, c.Request, s) }))
	return g
}

func echoSite(m *frameworks.Manager, all ...echo5.MiddlewareFunc) http.Handler {
	e := echo5.New()
	e.Use(all...)
	with := func(h func(*echo5.Context, *sess) error) echo5.HandlerFunc {
		return func(c *echo5.Context) error {
			s, err := m.Load(c.Request().Context())
			if err != nil {
				return err
			}
			return h(c, s)
		}
	}
	for path, p := range pages {
		e.POST(path, with(func(c *echo5.Context, s *sess) error {
			o := p(c.Request().Context(), s, c.QueryParam("user"))
			if o.err != 0 {
				return echo5.NewHTTPError(o.err, oops(o.err))
			}
			o.write(c.Response())
			return nil
		}))
	}
	e.POST("/stream", with(func(c *echo5.Context, s *sess) error { streams(c.Response(), c.Request(), s); return nil }))
	e.GET("/socket", with(func(c *echo5.Context, s *sess) error { sockets(c.Response(), c.Request(), s); return nil }))
	return e
}

// found is the session that fibersession.New has made.
func found(c fiber.Ctx) *sess { s, _ := fibersession.From[frameworks.Account](c); return s }

// onFiber serves with typed handlers if find is nil.
func onFiber(all func(*frameworks.Manager) []any, find func(fiber.Ctx) *sess) func(*testing.T, *frameworks.Manager) string {
	return func(t *testing.T, m *frameworks.Manager) string {
		app := fiber.New()
		app.Use(all(m)...)
		with := func(h func(fiber.Ctx, *sess) error) fiber.Handler {
			if find == nil {
				return fibersession.Handler(m, h)
			}
			return func(c fiber.Ctx) error { return h(c, find(c)) }
		}
		for path, p := range pages {
			app.Post(path, with(func(c fiber.Ctx, s *sess) error {
				o := p(c.Context(), s, string([]byte(c.Query("user"))))
				c.Set("X-Page", "yes")
				switch {
				case o.panics:
					panic("oops")
				case o.err == http.StatusInternalServerError:
					return errors.New(oops(o.err)) // of no status
				case o.err != 0:
					return fiber.NewError(o.err, oops(o.err))
				case o.location != "":
					return c.Redirect().Status(o.status).To(o.location)
				}
				return c.Status(status(o)).SendString(o.text)
			}))
		}
		app.Post("/stream", with(func(c fiber.Ctx, s *sess) error {
			user := string([]byte(c.Query("user")))
			if s.IsNew() {
				return fiber.ErrUnauthorized
			}
			s.Update(func(a *frameworks.Account) { a.User = user })
			serve := func(ctx context.Context, w *bufio.Writer) {
				streamed(ctx, func(text string) error {
					_, err := fmt.Fprintln(w, text)
					return errors.Join(err, w.Flush())
				})
			}
			if _, ok := fibersession.From[frameworks.Account](c); ok {
				return fibersession.Stream(c, s, serve)
			}
			ctx, stop := s.NotifyContext(context.Background())
			return c.SendStreamWriter(func(w *bufio.Writer) {
				defer stop()
				serve(ctx, w)
			})
		}))
		app.Get("/socket", with(func(c fiber.Ctx, s *sess) error {
			user := string([]byte(c.Query("user")))
			s.Update(func(a *frameworks.Account) { a.User = user })
			if err := s.Save(c.Context()); err != nil {
				return fiber.ErrServiceUnavailable
			}
			return new(fastwebsocket.FastHTTPUpgrader).Upgrade(c.RequestCtx(), func(conn *fastwebsocket.Conn) {
				ctx, stop := s.NotifyContext(context.Background())
				defer stop()
				streamed(ctx, func(text string) error { return conn.WriteMessage(fastwebsocket.TextMessage, []byte(text)) })
			})
		}))
		return listen(t, app)
	}
}

// rpc is a framework of procedures, in connect's protocol.
func rpc(build func(*frameworks.Manager) http.Handler, lacks map[string]string) framework {
	return framework{
		serve:  onHTTP(build),
		header: http.Header{"Content-Type": {"application/json"}}, body: "{}",
		lacks: with(lacks, map[string]string{
			"redirect": "a procedure has no status of its own", "own 500": "as above",
			"WebSocket": "connect has none", "WebSocket of a visitor": "as above",
			"stream": "see TestConnectStream", "stream of a visitor": "as above",
		}),
	}
}

func connectSite(m *frameworks.Manager, options ...connect.HandlerOption) http.Handler {
	mux := http.NewServeMux()
	for path, p := range pages {
		mux.Handle(path, connect.NewUnaryHandler(path, func(ctx context.Context, req *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
			s, err := m.Load(ctx)
			if err != nil {
				return nil, connect.NewError(connect.CodeUnavailable, err)
			}
			o := p(ctx, s, req.Header().Get("User"))
			switch o.err {
			case 0:
			case http.StatusForbidden:
				return nil, connect.NewError(connect.CodePermissionDenied, errors.New("no"))
			case http.StatusServiceUnavailable:
				return nil, connect.NewError(connect.CodeUnavailable, errors.New("try again"))
			default:
				return nil, connect.NewError(connect.CodeInternal, errors.New("oops"))
			}
			if o.panics {
				panic("oops")
			}
			return connect.NewResponse(wrapperspb.String(o.text)), nil
		}, options...))
	}
	// A procedure's argument would be in the message; here it is in a header.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("User", r.URL.Query().Get("user"))
		mux.ServeHTTP(w, r)
	})
}
