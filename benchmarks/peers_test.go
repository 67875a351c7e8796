package benchmarks

import (
	"net/http"
	"testing"

	ginsessions "github.com/gin-contrib/sessions"
	ginmemory "github.com/gin-contrib/sessions/memstore"
	"github.com/gin-gonic/gin"
	"github.com/gorilla/sessions"
)

const week = 7 * 24 * 60 * 60 // seconds

// gorillaCookie is gorilla/sessions with its usual store: the data are in the cookie, signed. It cannot
// log a user out on the server.
func gorillaCookie(tb testing.TB) contender {
	store := sessions.NewCookieStore([]byte(secret))
	store.MaxAge(week)
	of := func(r *http.Request) *sessions.Session {
		s, err := store.New(r, "sid")
		if err != nil {
			tb.Error(err)
		}
		return s
	}
	save := func(w http.ResponseWriter, r *http.Request, s *sessions.Session, a Account) {
		s.Values["account"] = &a
		if err := store.Save(r, w, s); err != nil {
			tb.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	}
	return contender{
		name: "gorilla/cookie",
		login: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := sessions.NewSession(store, "sid")
			s.Options = store.Options
			save(w, r, s, newAccount())
		}),
		read: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a, ok := of(r).Values["account"].(*Account); !ok || a.User.ID != 482_113 {
				tb.Error("not logged in")
			}
			w.WriteHeader(http.StatusNoContent)
		}),
		write: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := of(r)
			a, _ := s.Values["account"].(*Account)
			a.Visits++
			save(w, r, s, *a)
		}),
	}
}

// ginMemory is gin-contrib/sessions with its store in memory, in an engine without further middleware.
func ginMemory(tb testing.TB) contender {
	gin.SetMode(gin.ReleaseMode)
	store := ginmemory.NewStore([]byte(secret))
	store.Options(ginsessions.Options{MaxAge: week, HttpOnly: true, Path: "/"})
	engine := func(handle func(ginsessions.Session)) http.Handler {
		e := gin.New()
		e.Use(ginsessions.Sessions("sid", store))
		e.GET("/", func(c *gin.Context) {
			handle(ginsessions.Default(c))
			c.Status(http.StatusNoContent)
			c.Writer.WriteHeaderNow()
		})
		// The middleware keeps the session in the request, which the benchmarks use again.
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.ServeHTTP(w, r.WithContext(r.Context())) })
	}
	save := func(s ginsessions.Session, a Account) {
		s.Set("account", &a)
		if err := s.Save(); err != nil {
			tb.Error(err)
		}
	}
	return contender{
		name:  "gin/memstore",
		login: engine(func(s ginsessions.Session) { save(s, newAccount()) }),
		read: engine(func(s ginsessions.Session) {
			if a, ok := s.Get("account").(*Account); !ok || a.User.ID != 482_113 {
				tb.Error("not logged in")
			}
		}),
		write: engine(func(s ginsessions.Session) {
			a, _ := s.Get("account").(*Account)
			changed := *a // a copy, because other requests may read the value
			changed.Visits++
			save(s, changed)
		}),
	}
}
