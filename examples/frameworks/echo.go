package frameworks

import (
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

// Echo wraps the engine with the sessions, so that they see the response of an error.
func Echo(m *Manager) http.Handler {
	e := echo.New()
	e.Use(middleware.Recover())
	e.POST("/login", func(c *echo.Context) error {
		ctx := c.Request().Context()
		s, err := m.Load(ctx)
		if err != nil {
			return err
		}
		user := c.QueryParam("user") // once the password is checked
		if err := s.Login(ctx, "user:"+user); err != nil {
			return echo.NewHTTPError(http.StatusServiceUnavailable, "try again")
		}
		s.Update(func(a *Account) { a.User = user })
		return c.NoContent(http.StatusOK)
	})
	e.GET("/me", func(c *echo.Context) error {
		s, err := m.Load(c.Request().Context())
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, s.Data().User)
	})
	return m.Handler(e)
}
