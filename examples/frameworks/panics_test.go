package frameworks_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/handlers"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"
	echo5 "github.com/labstack/echo/v5"
	echo5middleware "github.com/labstack/echo/v5/middleware"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/nestsession/session"
)

func init() { gin.SetMode(gin.TestMode) }

// then is what a handler does after its change: panic, or return.
type then = func()

// plain is a net/http handler that asks for its session.
func plain(m *manager, then then) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		change(m, r)
		then()
		http.Error(w, "the handler's own", http.StatusInternalServerError)
	})
}

func declaring(m *manager, then then) http.HandlerFunc {
	return m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
		then()
		http.Error(w, "the handler's own", http.StatusInternalServerError)
	})
}

func inChi(h http.Handler, all ...func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(all...)
	inner := chi.NewRouter()
	inner.Handle("/", h)
	r.Mount("/", inner)
	return r
}

func inGin(m *manager, then then, all ...gin.HandlerFunc) http.Handler {
	g := gin.New()
	g.Use(all...)
	g.GET("/", func(c *gin.Context) {
		change(m, c.Request)
		then()
		c.JSON(http.StatusInternalServerError, gin.H{"error": "the handler's own"})
	})
	return g
}

func inEcho(m *manager, then then, all ...echo.MiddlewareFunc) *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(all...)
	e.GET("/", func(c echo.Context) error {
		change(m, c.Request())
		then()
		return c.String(http.StatusInternalServerError, "the handler's own")
	})
	return e
}

func inEcho5(m *manager, then then, all ...echo5.MiddlewareFunc) *echo5.Echo {
	e := echo5.New()
	e.Use(all...)
	e.GET("/", func(c *echo5.Context) error {
		change(m, c.Request())
		then()
		return c.String(http.StatusInternalServerError, "the handler's own")
	})
	return e
}

// arrangements are the ways to combine a handler, a recoverer and the session's middleware. In
// each, a panic saves nothing and the recoverer's page is sent; a handler that answers 500 itself
// saves.
var arrangements = map[string]func(*manager, then) http.Handler{
	"chi, Recoverer inside":       func(m *manager, f then) http.Handler { return inChi(plain(m, f), m.Handler, middleware.Recoverer) },
	"chi, Recoverer outside":      func(m *manager, f then) http.Handler { return inChi(plain(m, f), middleware.Recoverer, m.Handler) },
	"chi, HandlerFunc":            func(m *manager, f then) http.Handler { return inChi(declaring(m, f), middleware.Recoverer) },
	"chi, HandlerFunc in Handler": func(m *manager, f then) http.Handler { return inChi(declaring(m, f), m.Handler, middleware.Recoverer) },
	"chi, the router wrapped":     func(m *manager, f then) http.Handler { return m.Handler(inChi(plain(m, f), middleware.Recoverer)) },
	"chi, compressed": func(m *manager, f then) http.Handler {
		return inChi(plain(m, f), m.Handler, middleware.Compress(5), middleware.Recoverer)
	},
	"gorilla, RecoveryHandler inside":     func(m *manager, f then) http.Handler { return m.Handler(quiet(plain(m, f))) },
	"gorilla, RecoveryHandler outside":    func(m *manager, f then) http.Handler { return quiet(m.Handler(plain(m, f))) },
	"gorilla, RecoveryHandler, declaring": func(m *manager, f then) http.Handler { return quiet(declaring(m, f)) },
	"gin, Recovery": func(m *manager, f then) http.Handler {
		return m.Handler(inGin(m, f, gin.RecoveryWithWriter(io.Discard)))
	},
	"gin, CustomRecovery": func(m *manager, f then) http.Handler {
		return m.Handler(inGin(m, f, gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, _ any) {
			c.String(http.StatusInternalServerError, "sorry")
		})))
	},
	"gin, WrapF": func(m *manager, f then) http.Handler {
		g := gin.New()
		g.Use(gin.RecoveryWithWriter(io.Discard))
		g.GET("/", gin.WrapF(declaring(m, f)))
		return g
	},
	"gin, WrapH of Handler": func(m *manager, f then) http.Handler {
		g := gin.New()
		g.Use(gin.RecoveryWithWriter(io.Discard))
		g.GET("/", gin.WrapH(m.Handler(plain(m, f))))
		return g
	},
	"echo, the engine wrapped": func(m *manager, f then) http.Handler { return m.Handler(inEcho(m, f, echomiddleware.Recover())) },
	"echo, Recover outside": func(m *manager, f then) http.Handler {
		return inEcho(m, f, echomiddleware.Recover(), echo.WrapMiddleware(m.Handler))
	},
	"echo, Recover inside": func(m *manager, f then) http.Handler {
		return inEcho(m, f, echo.WrapMiddleware(m.Handler), echomiddleware.Recover())
	},
	"echo, the engine wrapped, the error returned": func(m *manager, f then) http.Handler {
		return m.Handler(inEcho(m, f, echomiddleware.RecoverWithConfig(echomiddleware.RecoverConfig{DisableErrorHandler: true, DisablePrintStack: true})))
	},
	"echo, Recover outside, the error returned": func(m *manager, f then) http.Handler {
		return inEcho(m, f, echomiddleware.RecoverWithConfig(echomiddleware.RecoverConfig{DisableErrorHandler: true, DisablePrintStack: true}), echo.WrapMiddleware(m.Handler))
	},
	"echo, Handler on both sides, the error returned": func(m *manager, f then) http.Handler {
		own := echo.WrapMiddleware(m.Handler)
		return inEcho(m, f, own, echomiddleware.RecoverWithConfig(echomiddleware.RecoverConfig{DisableErrorHandler: true, DisablePrintStack: true}), own)
	},
	"echo, an error handler of the application's": func(m *manager, f then) http.Handler {
		e := inEcho(m, f, echomiddleware.RecoverWithConfig(echomiddleware.RecoverConfig{DisableErrorHandler: true, DisablePrintStack: true}))
		e.HTTPErrorHandler = func(_ error, c echo.Context) { _ = c.HTML(http.StatusInternalServerError, "<p>sorry") }
		return m.Handler(e)
	},
	"echo, WrapHandler":          func(m *manager, f then) http.Handler { return wrapped(declaring(m, f)) },
	"echo 5, the engine wrapped": func(m *manager, f then) http.Handler { return m.Handler(inEcho5(m, f, echo5middleware.Recover())) },
	"echo 5, Recover outside": func(m *manager, f then) http.Handler {
		return inEcho5(m, f, echo5middleware.Recover(), echo5.WrapMiddleware(m.Handler))
	},
	"echo 5, Handler on both sides": func(m *manager, f then) http.Handler {
		own := echo5.WrapMiddleware(m.Handler)
		return inEcho5(m, f, own, echo5middleware.Recover(), own)
	},
	"connect, WithRecover": func(m *manager, f then) http.Handler {
		return m.Handler(procedure(m, f))
	},
}

func quiet(h http.Handler) http.Handler {
	return handlers.RecoveryHandler(handlers.RecoveryLogger(log.New(io.Discard, "", 0)))(h)
}

func wrapped(h http.Handler) http.Handler {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(echomiddleware.Recover())
	e.GET("/", echo.WrapHandler(h))
	return e
}

// procedure is a procedure of connect, which may be called by GET.
func procedure(m *manager, then then) http.Handler {
	return connect.NewUnaryHandler("/", func(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
		s, _ := m.From(ctx)
		s.Update(func(a *account) { a.Count++ })
		then()
		return connect.NewResponse(new(emptypb.Empty)), nil
	}, connect.WithIdempotency(connect.IdempotencyNoSideEffects), connect.WithRecover(func(context.Context, connect.Spec, http.Header, any) error {
		return connect.NewError(connect.CodeInternal, errors.New("sorry"))
	}))
}

func TestAPanickingHandlerSavesNothing(t *testing.T) {
	t.Parallel()
	for name, build := range arrangements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager(t)
			c := login(t, m)
			w := serve(build(m, func() { panic("oops") }), c)
			if w.Code != http.StatusInternalServerError {
				t.Errorf("answered %d %q", w.Code, w.Body)
			}
			if got := stored(m, c); got.Count != 0 || got.User != "ada" {
				t.Errorf("the session holds %+v", got)
			}
		})
	}
}

func TestAHandlerThatReturnsSaves(t *testing.T) {
	t.Parallel()
	for name, build := range arrangements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager(t)
			c := login(t, m)
			w := serve(build(m, func() {}), c)
			if got := stored(m, c); got.Count != 1 {
				t.Errorf("answered %d %q, the session holds %+v", w.Code, w.Body, got)
			}
		})
	}
}

// A handler that returns an error, for which the framework writes a page, saves if it is the
// client's error.
func TestAnErrorOfTheClientsSaves(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	c := login(t, m)
	e := echo.New()
	e.Use(echomiddleware.Recover())
	e.GET("/", func(c echo.Context) error {
		change(m, c.Request())
		return echo.NewHTTPError(http.StatusUnauthorized, "no")
	})
	for want, h := range []http.Handler{m.Handler(e)} {
		if w := serve(h, c); w.Code != http.StatusUnauthorized {
			t.Errorf("answered %d", w.Code)
		}
		if got := stored(m, c).Count; got != want+1 {
			t.Errorf("the counter is %d", got)
		}
	}
}

func serve(h http.Handler, c *http.Cookie) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/?connect=v1&encoding=json&message=%7B%7D", nil)
	r.AddCookie(c)
	h.ServeHTTP(w, r)
	return w
}
