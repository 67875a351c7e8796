package fibersession_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gofiber/fiber/v3"

	"github.com/nestsession/session"
	"github.com/nestsession/session/fibersession"
)

type Account struct {
	User string `json:"user,omitempty"`
}

func newManager() *session.Manager[Account] {
	m, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Cookie:  session.Cookie{Secure: session.SecureAuto},
	})
	if err != nil {
		log.Fatal(err)
	}
	return m
}

// browser keeps its cookies, and returns what is answered.
func browser(app *fiber.App) func(method, path string) string {
	cookies := map[string]string{}
	return func(method, path string) string {
		r := httptest.NewRequest(method, path, nil)
		for name, value := range cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		res, err := app.Test(r, fiber.TestConfig{})
		if err != nil {
			log.Fatal(err)
		}
		defer res.Body.Close()
		for _, c := range res.Cookies() {
			cookies[c.Name] = c.Value
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			log.Fatal(err)
		}
		return fmt.Sprintf("%d %s", res.StatusCode, body)
	}
}

func ExampleNew() {
	sessions := newManager()
	defer sessions.Close()
	app := fiber.New()
	app.Use(fibersession.New(sessions))
	app.Post("/login", func(c fiber.Ctx) error {
		s, ok := fibersession.From[Account](c)
		if !ok {
			return fiber.ErrInternalServerError
		}
		if err := s.Login(c.Context(), "user:ada"); err != nil { // once the password is checked
			return fiber.ErrServiceUnavailable
		}
		s.Update(func(a *Account) { a.User = "ada" })
		return c.SendString("welcome")
	})
	app.Get("/me", func(c fiber.Ctx) error {
		if s, ok := fibersession.From[Account](c); ok && s.Owner() != "" {
			return c.SendString(s.Data().User)
		}
		return fiber.ErrUnauthorized
	})

	ada := browser(app)
	fmt.Println(ada("GET", "/me"))
	fmt.Println(ada("POST", "/login"))
	fmt.Println(ada("GET", "/me"))
	// Output:
	// 401 Unauthorized
	// 200 welcome
	// 200 ada
}

// A route declares the session that it needs. No other route uses the store.
func ExampleHandler() {
	sessions := newManager()
	defer sessions.Close()
	app := fiber.New()
	app.Post("/login", fibersession.Handler(sessions, func(c fiber.Ctx, s *session.Session[Account]) error {
		s.Update(func(a *Account) { a.User = "ada" })
		if c.Query("fail") != "" {
			return errors.New("the mail server is down")
		}
		return nil
	}))
	app.Get("/me", fibersession.Handler(sessions, func(c fiber.Ctx, s *session.Session[Account]) error {
		return c.SendString("[" + s.Data().User + "]")
	}))

	ada := browser(app)
	ada("POST", "/login?fail=1") // saves nothing
	fmt.Println(ada("GET", "/me"))
	ada("POST", "/login")
	fmt.Println(ada("GET", "/me"))
	// Output:
	// 200 []
	// 200 [ada]
}

// A stream that ends with the session.
func ExampleStream() {
	sessions := newManager()
	defer sessions.Close()
	app := fiber.New()
	app.Post("/login", fibersession.Handler(sessions, func(c fiber.Ctx, s *session.Session[Account]) error {
		return s.Login(c.Context(), "user:ada")
	}))
	app.Get("/news", fibersession.Handler(sessions, func(c fiber.Ctx, s *session.Session[Account]) error {
		c.Set("Content-Type", "text/event-stream")
		return fibersession.Stream(c, s, func(ctx context.Context, w *bufio.Writer) {
			fmt.Fprint(w, "data: hello\n\n")
			w.Flush()
			_, _ = sessions.RevokeOwner(ctx, "user:ada") // the user logs out on all devices
			<-ctx.Done()
			fmt.Println(errors.Is(context.Cause(ctx), session.ErrRevoked))
			fmt.Fprint(w, "data: a secret\n\n") // is not sent
		})
	}))

	ada := browser(app)
	fmt.Println(ada("GET", "/news"))
	ada("POST", "/login")
	fmt.Printf("%q\n", ada("GET", "/news"))
	// Output:
	// 401 Unauthorized
	// true
	// "200 data: hello\n\n"
}
