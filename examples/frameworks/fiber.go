package frameworks

import (
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// sessionKey is where the routes find the session.
type sessionKey struct{}

// FiberSessions gives the routes after it a session. It does by Open and Commit what
// Handler does for net/http.
func FiberSessions(m *Manager) fiber.Handler {
	return func(c fiber.Ctx) error {
		var r http.Request
		if err := fasthttpadaptor.ConvertRequest(c.RequestCtx(), &r, true); err != nil {
			return err
		}
		s, err := m.Open(r.WithContext(c.Context()))
		if err != nil {
			return fiber.ErrServiceUnavailable // never an anonymous session
		}
		c.Locals(sessionKey{}, s)
		answer := c.Next() // what a panic leaves behind is not saved
		if client := (*fiber.Error)(nil); answer != nil && (!errors.As(answer, &client) || client.Code >= 500) {
			return answer // nor is what a failed handler does
		}
		h := http.Header{}
		if err := m.Commit(c.Context(), s, h); err != nil {
			c.Response().Reset() // nothing of the handler's
			return fiber.ErrServiceUnavailable
		}
		for _, line := range h.Values("Set-Cookie") {
			c.Response().Header.Add("Set-Cookie", line)
		}
		return answer
	}
}

// OfFiber is the session of a request.
func OfFiber(c fiber.Ctx) *Session { return fiber.Locals[*Session](c, sessionKey{}) }

// Fiber has the sessions as a middleware.
func Fiber(m *Manager) *fiber.App {
	app := fiber.New()
	app.Use(FiberSessions(m))
	app.Post("/login", func(c fiber.Ctx) error {
		s := OfFiber(c)
		user := c.Query("user") // once the password is checked
		if err := s.Login(c.Context(), "user:"+user); err != nil {
			return fiber.ErrServiceUnavailable
		}
		s.Update(func(a *Account) { a.User = user })
		return nil
	})
	app.Get("/me", func(c fiber.Ctx) error {
		return c.SendString(OfFiber(c).Data().User)
	})
	return app
}
