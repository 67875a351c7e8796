package websocketsession_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/coder/websocket"

	"github.com/nestsession/session"
	"github.com/nestsession/session/websocketsession"
)

type Account struct {
	User string `json:"user,omitempty"`
	Said int    `json:"said,omitempty"`
}

// routes are a login, a chat and a logout.
func routes(sessions *session.Manager[Account], logger *log.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:ada"); err != nil { // after the password was checked
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		s.Update(func(a *Account) { a.User = "ada" })
	}))
	mux.HandleFunc("POST /logout", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Destroy(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))
	mux.HandleFunc("GET /chat", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		err := websocketsession.Serve(w, r, s, websocketsession.Options{}, func(ctx context.Context, c *websocketsession.Conn) error {
			return chat(ctx, c, s)
		})
		if err != nil {
			logger.Printf("a chat ended: %v", err)
		}
	}))
	return mux
}

func chat(ctx context.Context, c *websocketsession.Conn, s *session.Session[Account]) error {
	for {
		_, message, err := c.Read(ctx) // counts as use of the session
		if err != nil {
			return err
		}
		s.Update(func(a *Account) { a.Said++ })
		if err := s.Save(ctx); err != nil { // other requests see it now
			return err
		}
		answer := fmt.Sprintf("%s said %q, number %d", s.Data().User, message, s.Data().Said)
		if err := c.Write(ctx, websocket.MessageText, []byte(answer)); err != nil {
			return err
		}
	}
}

// Two tabs of a browser: one has a chat open, in the other the user logs out.
func ExampleServe() {
	sessions, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Cookie:  session.Cookie{Secure: session.SecureAuto},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	server := httptest.NewServer(routes(sessions, log.New(io.Discard, "", 0)))
	defer server.Close()

	ctx := context.Background()
	jar, _ := cookiejar.New(nil) // it never fails without options
	browser := &http.Client{Jar: jar}
	post := func(path string) {
		res, err := browser.Post(server.URL+path, "", nil)
		if err != nil {
			log.Fatal(err)
		}
		res.Body.Close()
	}
	post("/login")
	tab, _, err := websocket.Dial(ctx, server.URL+"/chat", &websocket.DialOptions{HTTPClient: browser})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		if err := tab.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
			log.Fatal(err)
		}
		_, answer, err := tab.Read(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", answer)
	}
	post("/logout")
	_, _, err = tab.Read(ctx)
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		fmt.Println(int(closed.Code), closed.Reason)
	}
	// Output:
	// ada said "hello", number 1
	// ada said "hello", number 2
	// 1008 logged out
}
