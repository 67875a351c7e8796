package natsstore_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/natsserver"
	"github.com/nestsession/session/tests/internal/relay"
)

// A busy server answers an update later than the store asks again, and another node has changed the
// session by then. The late answer says what became of the update: the caller gets it, and not that
// nobody knows.
func TestALateAnswerCounts(t *testing.T) {
	t.Parallel()
	server := natsserver.Start(t, 1, servers.NATSOptions{Password: "a password"})[0]
	between := relay.New(t, server.Addr())
	slow, err := nats.Connect(server.URLAt(between.Addr()), natsstore.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(slow.Close)
	mine, other := newStore(t, natsstore.Config{Conn: slow, Timeout: time.Minute}), newStore(t, natsstore.Config{Conn: dial(t, server)})

	r := store.Record{ID: "late", Owner: "user:42", Data: []byte("first"), Expires: in(time.Hour)}
	if r.Version, err = mine.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{})
	between.OnReply(func(reply []byte) []byte { <-answered; return reply })
	type result struct {
		version store.Version
		err     error
	}
	updated := make(chan result, 1)
	go func() {
		r := r
		r.Data = []byte("mine")
		v, err := mine.Update(t.Context(), r)
		updated <- result{v, err}
	}()
	var seen store.Record
	eventually(t, "the server has the update", func() bool {
		seen, err = other.Load(t.Context(), r.ID)
		return err == nil && seen.Version != r.Version
	})
	mineAt := seen.Version
	seen.Data = []byte("other")
	if seen.Version, err = other.Update(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	<-time.After(2500 * time.Millisecond) // the store has asked again
	close(answered)
	if got := <-updated; got.err != nil || got.version != mineAt {
		t.Errorf("the update: version %d, %v; want version %d", got.version, got.err, mineAt)
	}
	if got, err := mine.Load(t.Context(), r.ID); err != nil || string(got.Data) != "other" || got.Version != seen.Version {
		t.Errorf("then Load: %+v, %v; want the other node's update", got, err)
	}
}
