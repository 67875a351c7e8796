package express_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// A user who has logged in at the Node application is logged in here: this application
// reads the cookie and the document, and the Node application sees what this one adds.
// In a real deployment the two share a database instead of memory.
func ExampleConfig() {
	type Account struct {
		User   string `json:"user,omitempty"`
		Visits int    `json:"visits,omitempty"`
	}
	shared := memstore.New(memstore.Config{})
	defer shared.Close()
	shared.Create(context.Background(), store.Record{
		ID:   "Zk3vQh1cT9yUeWm2LrXa0BpDsGnJf7oK",
		Data: []byte(`{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"user":"ann"}`),
	})

	cfg := express.Config("keyboard") // the secret that Node has
	cfg.Store = shared
	cfg.Cookie.MaxAge = 7 * 24 * time.Hour // for the sessions that begin here
	sessions, err := session.New[Account](cfg)
	if err != nil {
		log.Fatal(err)
	}
	me := sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.Visits++ })
		fmt.Fprintf(w, "%s, new: %v", s.Data().User, s.IsNew())
	})

	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/me", nil)
	r.Header.Set("Cookie", "connect.sid=s%3AZk3vQh1cT9yUeWm2LrXa0BpDsGnJf7oK.cQwdSXdOrmfYXv8KSRWK2xaL0HjphQ%2B4EKFNo49uFS0")
	me(w, r)
	fmt.Println(w.Body)
	for rec := range shared.List(r.Context(), "") {
		fmt.Printf("%s\n", rec.Data)
	}
	// Output:
	// ann, new: false
	// {"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"user":"ann","visits":1}
}

// If the data are a map, keys that Node would drop are refused, and so are keys that this
// application leaves to Node.
func ExampleReservedKeys() {
	cfg := express.Config("keyboard")
	cfg.Express.ReservedKeys = append(express.ReservedKeys(), "passport")
	sessions, err := session.New[map[string]any](cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	h := sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
		session.Put(s, "passport", "ann")
		fmt.Println(s.Save(r.Context()))
		session.Delete(s, "passport")
		fmt.Println(s.Save(r.Context()))
	})
	h(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	// Output:
	// session: reserved key in the data: "passport"; choose another key
	// <nil>
}
