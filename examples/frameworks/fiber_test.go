package frameworks_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"

	"github.com/nestsession/session/examples/frameworks"
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
