package session_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"

	"github.com/nestsession/session"
)

// An adapter whose handler has failed drops what the handler has changed, and still sends the
// cookie of what it has saved before.
func ExampleManager_Abort() {
	type Account struct {
		Visits int `json:"visits"`
	}
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Logger:  slog.New(slog.DiscardHandler),
		OnEvent: func(_ context.Context, e session.Event) {
			if e.Kind == session.EventDropped {
				fmt.Println(e.Kind, "because the", e.Reason)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://shop.test/", nil)
	s, err := accounts.Open(r)
	if err != nil {
		log.Fatal(err)
	}
	s.SetOwner("member:ada")
	if err := s.Save(r.Context()); err != nil {
		log.Fatal(err)
	}
	s.Update(func(a *Account) { a.Visits++ }) // the handler fails after that
	fmt.Println(accounts.Abort(r.Context(), s, w.Header(), session.ReasonFailed))
	fmt.Println(len(w.Result().Cookies()), s.Owner(), s.Data().Visits)
	// Output:
	// dropped because the handler failed
	// <nil>
	// 1 member:ada 0
}
