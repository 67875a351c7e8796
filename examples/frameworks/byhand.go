package frameworks

import (
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"github.com/nestsession/session"
)

// sessionKey is where the routes find the session.
type sessionKey struct{}

// ByHand gives the routes after it a session with Open and Commit. An adapter for
// another framework without net/http looks like this; for Fiber use fibersession, which does more.
func ByHand(m *Manager) fiber.Handler {
	return func(c fiber.Ctx) (err error) {
		var r http.Request
		if err := fasthttpadaptor.ConvertRequest(c.RequestCtx(), &r, true); err != nil {
			return err
		}
		s, err := m.Open(r.WithContext(c.Context()))
		if err != nil {
			return fiber.ErrServiceUnavailable // never an anonymous session
		}
		c.Locals(sessionKey{}, s)
		why := session.ReasonPanicked // until the handler has returned
		defer func() {
			h := http.Header{}
			commit := func() error { return m.Commit(c.Context(), s, h) }
			if why != "" {
				commit = func() error { return m.Abort(c.Context(), s, h, why) }
			}
			if commit() != nil {
				c.Response().Reset() // sends nothing of the handler's response
				err = fiber.ErrServiceUnavailable
				return
			}
			for _, line := range h.Values("Set-Cookie") {
				c.Response().Header.Add("Set-Cookie", line)
			}
		}()
		err = c.Next()
		why = ""
		if client := (*fiber.Error)(nil); err != nil && (!errors.As(err, &client) || client.Code >= 500) {
			why = session.ReasonFailed
		}
		return err
	}
}

// FoundByHand is the session of a request.
func FoundByHand(c fiber.Ctx) *Session { return fiber.Locals[*Session](c, sessionKey{}) }
