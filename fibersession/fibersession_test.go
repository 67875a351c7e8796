package fibersession_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"

	"github.com/nestsession/session"
	"github.com/nestsession/session/fibersession"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

type (
	manager = session.Manager[Account]
	sess    = session.Session[Account]
)

// broken is a store that fails when a test says so.
type broken struct {
	store.Store
	down atomic.Bool
}

var errDown = errors.New("the store is down")

func (b *broken) Unwrap() store.Store { return b.Store }

func (b *broken) Load(ctx context.Context, id string) (store.Record, error) {
	if b.down.Load() {
		return store.Record{}, errDown
	}
	return b.Store.Load(ctx, id)
}

func (b *broken) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if b.down.Load() {
		return 0, errDown
	}
	return b.Store.Create(ctx, r)
}

func (b *broken) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if b.down.Load() {
		return 0, errDown
	}
	return b.Store.Update(ctx, r)
}

func newTest(t *testing.T, cfg session.Config) (*manager, *broken) {
	t.Helper()
	mem := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = mem.Close() })
	s := &broken{Store: mem}
	cfg.Secrets, cfg.Store, cfg.Logger = []string{"a secret for tests, 32 bytes or so"}, s, slog.New(slog.DiscardHandler)
	if cfg.Cookie.Secure == 0 && cfg.CookieFunc == nil {
		cfg.Cookie.Secure = session.SecureAuto
	}
	m, err := session.New[Account](cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, s
}

func listen(t *testing.T, app *fiber.App) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() {
		_ = app.ShutdownWithTimeout(time.Second)
		<-done
	})
	return "http://" + l.Addr().String()
}

func get(t *testing.T, address string, cookies []*http.Cookie) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if strings.HasSuffix(address, "/stream") && res.StatusCode == http.StatusOK {
		return res, ""
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// login is a route that makes a session.
func login(c fiber.Ctx, s *sess) error { return s.Login(c.Context(), "user:ada") }

// A stream's context ends when a write shows that the client has disconnected, and what the
// stream has changed is saved when it is over.
func TestStreamOfAClientThatLeaves(t *testing.T) {
	t.Parallel()
	m, _ := newTest(t, session.Config{})
	app, over := fiber.New(), make(chan error, 1)
	app.Get("/login", fibersession.Handler(m, login))
	app.Get("/me", fibersession.Handler(m, func(c fiber.Ctx, s *sess) error { return c.SendString(s.Data().User) }))
	app.Get("/stream", fibersession.Handler(m, func(c fiber.Ctx, s *sess) error {
		return fibersession.Stream(c, s, func(ctx context.Context, w *bufio.Writer) {
			s.Update(func(a *Account) { a.User = "streamed" })
			for ctx.Err() == nil {
				fmt.Fprintln(w, strings.Repeat("x", 1000))
				_ = w.Flush()
			}
			over <- context.Cause(ctx)
		})
	}))
	address := listen(t, app)
	res, _ := get(t, address+"/login", nil)
	stream, _ := get(t, address+"/stream", res.Cookies())
	if _, err := io.ReadFull(stream.Body, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	_ = stream.Body.Close()
	if err := <-over; err == nil || errors.Is(err, session.ErrRevoked) {
		t.Errorf("the cause is %v", err)
	}
	for got := ""; got != "streamed"; { // the save follows the end
		if _, got = get(t, address+"/me", res.Cookies()); t.Context().Err() != nil {
			t.Fatal(got)
		}
	}
}

// A stream does not begin if its handler fails or the session cannot be saved. The client gets
// the error, and what other middleware has set.
func TestStreamThatDoesNotBegin(t *testing.T) {
	t.Parallel()
	m, s := newTest(t, session.Config{})
	app := fiber.New(fiber.Config{ErrorHandler: func(c fiber.Ctx, err error) error {
		c.Set("X-Down", fmt.Sprint(errors.Is(err, errDown)))
		return fiber.DefaultErrorHandler(c, err)
	}})
	app.Use(func(c fiber.Ctx) error { c.Set("X-Outer", "kept"); return c.Next() })
	app.Get("/login", fibersession.Handler(m, login))
	var began atomic.Bool
	stream := func(c fiber.Ctx, s *sess) error {
		s.Update(func(a *Account) { a.User = "eve" })
		c.Set("X-Handler", "dropped")
		return fibersession.Stream(c, s, func(context.Context, *bufio.Writer) { began.Store(true) })
	}
	app.Get("/save", fibersession.Handler(m, func(c fiber.Ctx, x *sess) error {
		s.down.Store(true)
		return stream(c, x)
	}))
	app.Get("/fail", fibersession.Handler(m, func(c fiber.Ctx, s *sess) error {
		return errors.Join(stream(c, s), errors.New("oops"))
	}))
	address := listen(t, app)
	res, _ := get(t, address+"/login", nil)
	cookies := res.Cookies()
	if res, _ := get(t, address+"/fail", cookies); res.StatusCode != http.StatusInternalServerError {
		t.Errorf("a handler that fails: %s", res.Status)
	}
	res, text := get(t, address+"/save", cookies)
	if res.StatusCode != http.StatusServiceUnavailable || text != "Service Unavailable" {
		t.Errorf("answered %s %q", res.Status, text)
	}
	if h := res.Header; h.Get("X-Outer") != "kept" || h.Get("X-Handler") != "" || h.Get("X-Down") != "true" {
		t.Errorf("the header: %v", h)
	}
	s.down.Store(false)
	if began.Load() {
		t.Error("the stream began")
	}
}

// A HEAD request starts no stream, which nobody would read.
func TestHeadOfAStream(t *testing.T) {
	t.Parallel()
	m, _ := newTest(t, session.Config{})
	app := fiber.New()
	app.Get("/login", fibersession.Handler(m, login))
	app.Get("/stream", fibersession.Handler(m, func(c fiber.Ctx, s *sess) error {
		return fibersession.Stream(c, s, func(context.Context, *bufio.Writer) { t.Error("the stream began") })
	}))
	address := listen(t, app)
	res, _ := get(t, address+"/login", nil)
	r, err := http.NewRequestWithContext(t.Context(), "HEAD", address+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(res.Cookies()[0])
	if res, err = http.DefaultTransport.RoundTrip(r); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", res, err)
	}
}

// A session that goes on after its request does not see the memory of the requests that follow.
func TestRequestIsACopy(t *testing.T) {
	t.Parallel()
	var seen atomic.Pointer[http.Request]
	m, _ := newTest(t, session.Config{CookieFunc: func(r *http.Request) session.Cookie {
		seen.CompareAndSwap(nil, r)
		return session.Cookie{Secure: session.SecureAuto}
	}})
	app := fiber.New()
	app.Get("/*", fibersession.Handler(m, func(fiber.Ctx, *sess) error { return nil }))
	address := listen(t, app)
	r, err := http.NewRequestWithContext(t.Context(), "GET", address+"/first?page=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "shop.test"
	r.Header["X-Several"] = []string{"one", "two"}
	c := &http.Client{}
	for range 3 { // over one connection, whose memory is used again
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		r = r.Clone(t.Context())
		r.URL.Path, r.URL.RawQuery, r.Host = "/other", "page=2", "evil.test"
		r.Header["X-Several"] = []string{"six", "ten"}
	}
	got := seen.Load()
	if got.URL.String() != "/first?page=1" || got.RequestURI != "/first?page=1" || got.Host != "shop.test" || got.Method != "GET" ||
		got.Proto != "HTTP/1.1" || fmt.Sprint(got.Header["X-Several"]) != "[one two]" || !strings.HasPrefix(got.RemoteAddr, "127.0.0.1:") {
		t.Errorf("%+v", got)
	}
}

// Two managers of one type have their own sessions, and each of them is found.
func TestTwoManagers(t *testing.T) {
	t.Parallel()
	shop, _ := newTest(t, session.Config{Name: "shop"})
	admin, _ := newTest(t, session.Config{Name: "admin"})
	app := fiber.New()
	app.Use(fibersession.New(shop), fibersession.New(admin), fibersession.New(shop))
	app.Get("/set", fibersession.Handler(shop, func(c fiber.Ctx, s *sess) error {
		s.Update(func(a *Account) { a.User = "customer" })
		inner, _ := fibersession.From[Account](c)
		inner.Update(func(a *Account) { a.User = "boss" })
		return nil
	}))
	app.Get("/me", fibersession.Handler(shop, func(c fiber.Ctx, s *sess) error {
		return fibersession.Handler(admin, func(c fiber.Ctx, a *sess) error {
			return c.SendString(s.Data().User + ", " + a.Data().User)
		})(c)
	}))
	address := listen(t, app)
	res, _ := get(t, address+"/set", nil)
	if len(res.Cookies()) != 2 {
		t.Errorf("the cookies: %v", res.Cookies())
	}
	if _, text := get(t, address+"/me", res.Cookies()); text != "customer, boss" {
		t.Errorf("%q", text)
	}
}

// Outside of the cookie's path New lets requests pass, and From finds no session.
func TestOutsideThePath(t *testing.T) {
	t.Parallel()
	m, _ := newTest(t, session.Config{Cookie: session.Cookie{Path: "/shop", Secure: session.SecureAuto}})
	app := fiber.New()
	app.Use(fibersession.New(m))
	page := func(c fiber.Ctx) error {
		_, ok := fibersession.From[Account](c)
		return c.SendString(fmt.Sprint(ok))
	}
	app.Get("/shop/tea", page)
	app.Get("/about", page)
	app.Get("/other", fibersession.Handler(m, login))
	address := listen(t, app)
	for path, want := range map[string]string{"/shop/tea": "true", "/about": "false", "/other": "Internal Server Error"} {
		if _, got := get(t, address+path, nil); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// A stream needs the session of its own request.
func TestStreamWithoutItsHandler(t *testing.T) {
	t.Parallel()
	m, _ := newTest(t, session.Config{})
	app := fiber.New()
	var kept *sess
	app.Get("/login", fibersession.Handler(m, func(c fiber.Ctx, s *sess) error { kept = s; return login(c, s) }))
	app.Get("/", func(c fiber.Ctx) error {
		err := fibersession.Stream(c, kept, func(context.Context, *bufio.Writer) {})
		return c.SendString(fmt.Sprint(errors.Is(err, fibersession.ErrNoSession)))
	})
	address := listen(t, app)
	get(t, address+"/login", nil)
	if _, got := get(t, address+"/", nil); got != "true" {
		t.Errorf("%q", got)
	}
}
