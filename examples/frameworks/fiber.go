package frameworks

import (
	"bufio"
	"context"
	"fmt"

	"github.com/gofiber/fiber/v3"
	fiberrecover "github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/nestsession/session/fibersession"
)

// Fiber uses the sessions as a middleware, inside the recoverer.
func Fiber(m *Manager) *fiber.App {
	app := fiber.New()
	app.Use(fiberrecover.New(), fibersession.New(m))
	app.Post("/login", fibersession.Handler(m, func(c fiber.Ctx, s *Session) error {
		user := c.Query("user") // once the password is checked
		if err := s.Login(c.Context(), "user:"+user); err != nil {
			return fiber.ErrServiceUnavailable
		}
		s.Update(func(a *Account) { a.User = user })
		return nil
	}))
	app.Get("/me", func(c fiber.Ctx) error {
		s, ok := fibersession.From[Account](c)
		if !ok {
			return fiber.ErrInternalServerError
		}
		return c.SendString(s.Data().User)
	})
	return app
}

// FiberNews is a stream that ends with the session.
func FiberNews(m *Manager, news <-chan string) fiber.Handler {
	return fibersession.Handler(m, func(c fiber.Ctx, s *Session) error {
		c.Set("Content-Type", "text/event-stream")
		return fibersession.Stream(c, s, func(ctx context.Context, w *bufio.Writer) {
			for {
				select {
				case <-ctx.Done():
					return
				case text := <-news:
					fmt.Fprintf(w, "data: %q\n\n", text)
				}
				if w.Flush() != nil {
					return // the session has ended, or the client has disconnected
				}
			}
		})
	})
}
