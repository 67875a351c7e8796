package fibersession

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/records"
)

// New returns middleware that gives the handlers after it a session of m: declare it by
// [Handler], or get it by [From]. Each request that passes through it loads its session and
// counts as a use of it, so that routes that need no session stand outside. A request outside
// of the cookie's path passes without a session.
func New[T any](m *session.Manager[T]) fiber.Handler {
	return func(c fiber.Ctx) error {
		if find(c, m) != nil { // twice in one chain
			return c.Next()
		}
		x, err := begin(c, m)
		if errors.Is(err, session.ErrOutsidePath) {
			return c.Next()
		}
		if err != nil {
			return err
		}
		return x.serve(c, c.Next)
	}
}

// Handler returns a handler that calls next with the request's session. Behind [New] it is the
// session that New has loaded; otherwise Handler loads and saves it itself, so that only such
// routes use the store. If the session cannot be loaded, next does not run.
func Handler[T any](m *session.Manager[T], next func(c fiber.Ctx, s *session.Session[T]) error) fiber.Handler {
	return func(c fiber.Ctx) error {
		if x := find(c, m); x != nil {
			return x.nested(func() error { return next(c, x.s) })
		}
		x, err := begin(c, m)
		if err != nil {
			return err
		}
		return x.serve(c, func() error { return next(c, x.s) })
	}
}

// From returns the session of the request. It returns false if the request did not pass through
// [New] or [Handler] with data of the type T, or if its path is outside of the cookie's. If
// there are several managers of one type, it returns the session of the innermost.
func From[T any](c fiber.Ctx) (*session.Session[T], bool) {
	x, _ := c.Locals(key[T]{}).(*exchange[T])
	if x == nil {
		return nil, false
	}
	return x.s, true
}

type key[T any] struct{}

// exchange is one request and its response in a manager.
type exchange[T any] struct {
	m      *session.Manager[T]
	s      *session.Session[T]
	outer  *exchange[T]            // of another manager
	header fasthttp.ResponseHeader // what other middleware has set before the handler
	begun  []chan<- bool           // streams that wait for the end of the handler

	panicked, failed bool // a handler has, whatever the middleware between it and the session's answers
}

// find returns the exchange of m.
func find[T any](c fiber.Ctx, m *session.Manager[T]) *exchange[T] {
	x, _ := c.Locals(key[T]{}).(*exchange[T])
	for x != nil && x.m != m {
		x = x.outer
	}
	return x
}

func begin[T any](c fiber.Ctx, m *session.Manager[T]) (*exchange[T], error) {
	r, err := request(c)
	if err != nil {
		return nil, &failure{fiber.ErrBadRequest, err}
	}
	s, err := m.Open(r)
	if err != nil {
		return nil, failed(err)
	}
	x := &exchange[T]{m: m, s: s}
	x.outer, _ = c.Locals(key[T]{}).(*exchange[T])
	c.Locals(key[T]{}, x)
	c.Response().Header.CopyTo(&x.header)
	return x, nil
}

// serve runs the handler and then commits.
func (x *exchange[T]) serve(c fiber.Ctx, handle func() error) error {
	returned := false
	defer func() {
		if !returned { // the recoverer outside writes its page into the same response
			_ = x.end(c, session.ReasonPanicked)
			x.begin(false)
		}
	}()
	err := x.nested(handle)
	returned = true
	var why session.Reason
	switch {
	case x.panicked:
		why = session.ReasonPanicked
	case x.failed && status(c, err) >= http.StatusInternalServerError:
		why = session.ReasonFailed
	}
	broken := x.end(c, why)
	x.begin(broken == nil && err == nil && why == "")
	if broken != nil {
		return broken
	}
	return err
}

// nested runs a handler, and remembers whether it has panicked or failed.
func (x *exchange[T]) nested(handle func() error) error {
	returned := false
	defer func() { x.panicked = x.panicked || !returned }()
	err := handle()
	returned = true
	x.failed = x.failed || err != nil && status(nil, err) >= http.StatusInternalServerError
	return err
}

// status returns the status of the response to a handler that has returned err.
func status(c fiber.Ctx, err error) int {
	if err == nil {
		return c.Response().StatusCode()
	}
	if e := (*fiber.Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return http.StatusInternalServerError
}

// end commits; why says that the handler has failed.
func (x *exchange[T]) end(c fiber.Ctx, why session.Reason) (err error) {
	h := http.Header{}
	if why != "" {
		c.RequestCtx().Hijack(nil) // no WebSocket opens
		err = x.m.Abort(c.Context(), x.s, h, why)
	} else {
		err = x.m.Commit(c.Context(), x.s, h)
	}
	if err != nil {
		c.RequestCtx().Hijack(nil)
		c.Response().Reset() // sends nothing of the handler's response
		x.header.CopyTo(&c.Response().Header)
		return failed(err)
	}
	for name, lines := range h {
		for _, line := range lines {
			c.Response().Header.Add(name, line)
		}
	}
	return nil
}

// begin lets the streams begin, or ends them.
func (x *exchange[T]) begin(ok bool) {
	for _, b := range x.begun {
		b <- ok
	}
}

// failure is the error for Fiber's ErrorHandler: the status, with a text for the client, and
// the cause for errors.Is.
type failure struct {
	status *fiber.Error
	cause  error
}

func (f *failure) Error() string   { return f.status.Message }
func (f *failure) Unwrap() []error { return []error{f.status, f.cause} }

func failed(err error) error {
	if store := (*records.Failure)(nil); errors.As(err, &store) {
		return &failure{fiber.ErrServiceUnavailable, err}
	}
	return &failure{fiber.ErrInternalServerError, err}
}

// request returns what the session needs of a request: all but the body. It is a copy, since
// fasthttp uses the request's memory again when the handler has returned, and a stream goes on
// with the session.
func request(c fiber.Ctx) (*http.Request, error) {
	ctx := c.RequestCtx()
	uri := string(ctx.RequestURI())
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return nil, err
	}
	proto := string(ctx.Request.Header.Protocol())
	r := &http.Request{
		Method: string(ctx.Method()), URL: u, RequestURI: uri, Host: string(ctx.Host()), Body: http.NoBody,
		Proto: proto, RemoteAddr: ctx.RemoteAddr().String(), TLS: ctx.TLSConnectionState(), Header: http.Header{},
	}
	var ok bool
	if r.ProtoMajor, r.ProtoMinor, ok = http.ParseHTTPVersion(proto); !ok {
		r.ProtoMajor, r.ProtoMinor = 1, 1
	}
	for name, value := range ctx.Request.Header.All() {
		if !strings.EqualFold(string(name), "Host") {
			r.Header.Add(string(name), string(value))
		}
	}
	return r.WithContext(c.Context()), nil
}
