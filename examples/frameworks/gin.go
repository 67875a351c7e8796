package frameworks

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Gin wraps the engine with the sessions.
func Gin(m *Manager) http.Handler {
	g := gin.New()
	g.Use(gin.Recovery())
	g.POST("/login", func(c *gin.Context) {
		s, err := m.Load(c.Request.Context()) // not c
		if err != nil {
			return // the client gets the error response
		}
		user := c.Query("user") // once the password is checked
		if err := s.Login(c.Request.Context(), "user:"+user); err != nil {
			c.String(http.StatusServiceUnavailable, "try again")
			return
		}
		s.Update(func(a *Account) { a.User = user })
	})
	g.GET("/me", func(c *gin.Context) {
		if s, err := m.Load(c.Request.Context()); err == nil {
			c.String(http.StatusOK, s.Data().User)
		}
	})
	return m.Handler(g)
}
