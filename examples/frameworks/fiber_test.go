package frameworks_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	fiberrecover "github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/frameworks"
	"github.com/nestsession/session/store"
)

// listen serves an application of fiber's until the test ends.
func listen(t *testing.T, app *fiber.App) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() {
		if err := app.ShutdownWithTimeout(time.Second); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		<-done
	})
	return "http://" + l.Addr().String()
}

func TestFiber(t *testing.T) {
	t.Parallel()
	logsIn(t, client(t, nil), listen(t, frameworks.Fiber(sessions(t))))
}

// A net/http handler works in fiber by its adaptor if the session is around that handler.
func TestFiberWithAHandlerOfNetHTTP(t *testing.T) {
	t.Parallel()
	app := fiber.New()
	app.All("/*", adaptor.HTTPHandler(frameworks.Chi(sessions(t))))
	logsIn(t, client(t, nil), listen(t, app))
}

func TestFiberSavesWhatAHandlerReturns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(fiber.Ctx) error
		want   string // the response
		saved  string
	}{
		"nothing":                {func(fiber.Ctx) error { return nil }, "", "ada"},
		"an error of the client": {func(fiber.Ctx) error { return fiber.ErrTeapot }, "418 I'm a teapot", "ada"},
		"an error":               {func(fiber.Ctx) error { return errors.New("oops") }, "500 Internal Server Error", ""},
		"a panic":                {func(fiber.Ctx) error { panic("oops") }, "500 Internal Server Error", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := sessions(t)
			own := fiber.New()
			own.Use(fiberrecover.New(), frameworks.FiberSessions(m))
			own.Post("/", func(f fiber.Ctx) error {
				frameworks.OfFiber(f).Update(func(a *frameworks.Account) { a.User = "ada" })
				return c.answer(f)
			})
			own.Get("/", func(f fiber.Ctx) error { return f.SendString(frameworks.OfFiber(f).Data().User) })
			address, browser := listen(t, own), client(t, nil)
			if got := ask(t, browser, "POST", address+"/"); c.want != got && c.want != "" {
				t.Errorf("answered %q", got)
			}
			if got := ask(t, browser, "GET", address+"/"); got != c.saved {
				t.Errorf("the session holds %q", got)
			}
		})
	}
}

// broken is a store that does not answer.
type broken struct{ store.Store }

var errDown = errors.New("the store is down")

func (broken) Load(context.Context, string) (store.Record, error) { return store.Record{}, errDown }

func (broken) Create(context.Context, store.Record) (store.Version, error) { return 0, errDown }

func TestFiberWithAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	m, err := session.New[frameworks.Account](session.Config{
		Secrets: []string{"a secret for tests, 32 bytes or so"}, Store: broken{},
		Cookie: session.Cookie{Secure: session.SecureAuto}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	address := listen(t, frameworks.Fiber(m))
	if got := ask(t, http.DefaultClient, "POST", address+"/login?user=ada"); got != "503 Service Unavailable" {
		t.Errorf("a login: %q", got)
	}
}

// The page warns of this: the adaptor's middleware has returned when fiber runs the routes.
func TestFiberRunsRoutesAfterTheAdaptorsMiddleware(t *testing.T) {
	t.Parallel()
	m := sessions(t)
	app := fiber.New()
	app.Use(adaptor.HTTPMiddleware(m.Handler))
	app.Post("/", func(c fiber.Ctx) error {
		if s, err := m.Load(c.Context()); err == nil {
			s.Update(func(a *frameworks.Account) { a.User = "ada" })
		}
		return nil
	})
	browser, address := client(t, nil), listen(t, app)
	if got := ask(t, browser, "POST", address+"/"); got != "" {
		t.Errorf("answered %q", got)
	}
	if at, err := url.Parse(address); err != nil || len(browser.Jar.Cookies(at)) != 0 {
		t.Errorf("it works now: say so in docs/frameworks.md (%v)", err)
	}
}
