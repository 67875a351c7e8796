package fromexpress_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/fromexpress"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// What @fastify/session 11.1.3 wrote, with cookiePrefix "s:".
const (
	fastifySecret   = "a secret that is at least 32 bytes long"
	fastifyID       = "5LiFjYIey-6OQNXUSoxqXtp9yLUS4wiM"
	fastifyCookie   = "connect.sid=s:5LiFjYIey-6OQNXUSoxqXtp9yLUS4wiM.DFj+M5l65owTzizu6ieMMFCLZS3wmZQm+gLxYzUMILA"
	fastifyDocument = `{"cookie":{"expires":"2026-11-27T12:22:41.808Z","originalMaxAge":3600000,"sameSite":null,"secure":false,"path":"/","httpOnly":true,"domain":null},"user":{"id":7,"name":"ada"}}`
)

func TestASessionOfFastify(t *testing.T) {
	t.Parallel()
	kept := memstore.New(memstore.Config{})
	defer kept.Close()
	if _, err := kept.Create(t.Context(), store.Record{ID: fastifyID, Data: []byte(fastifyDocument), Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	cfg := express.Config(fastifySecret)
	cfg.Store = kept
	sessions, err := session.New[fromexpress.Account](cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, w := httptest.NewRequest("GET", "/me", nil), httptest.NewRecorder()
	r.Header.Set("Cookie", fastifyCookie)
	sessions.HandlerFunc(me)(w, r)
	if got, want := w.Body.String(), "ada 7, passport , visit 1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
