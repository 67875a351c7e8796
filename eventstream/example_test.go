package eventstream_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/nestsession/session"
	"github.com/nestsession/session/eventstream"
)

// A page gets events about its orders until its user logs out.
func ExampleServe() {
	type Account struct {
		User string `json:"user,omitempty"`
	}
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Cookie:  session.Cookie{Secure: session.Insecure}, // the server below speaks plain HTTP
	})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.User = "Ada" })
	}))
	mux.HandleFunc("POST /logout", accounts.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Destroy(r.Context()); err != nil {
			log.Print(err)
		}
	}))
	mux.HandleFunc("GET /orders", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		_ = eventstream.Serve(w, r, s, eventstream.Options{}, func(ctx context.Context, events *eventstream.Stream) error {
			if err := events.Send(eventstream.Event{Name: "order", Data: "number 1 is on its way"}); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		})
	}))
	server := httptest.NewServer(mux)
	defer server.Close()

	res, err := http.Post(server.URL+"/login", "", nil)
	if err != nil {
		log.Fatal(err)
	}
	res.Body.Close()
	send := func(method, path string) *http.Response {
		r, _ := http.NewRequest(method, server.URL+path, nil)
		r.AddCookie(res.Cookies()[0])
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		return answer
	}
	orders := send("GET", "/orders")
	defer orders.Body.Close()
	lines := bufio.NewScanner(orders.Body)
	for lines.Scan() {
		if field, value, ok := strings.Cut(lines.Text(), ": "); ok && field != "" {
			fmt.Println(field, "=", value)
		}
		if strings.HasPrefix(lines.Text(), "data: number 1") {
			send("POST", "/logout").Body.Close()
		}
	}
	// Output:
	// event = order
	// data = number 1 is on its way
	// event = session-end
	// data = logged out
}
