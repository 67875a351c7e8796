package natsstore_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/natsserver"
	"github.com/nestsession/session/tests/internal/relay"
)

// lateUpdate is an update whose answer is held back, of a session that another node has changed since.
type lateUpdate struct {
	mine    *natsstore.Store
	between *relay.Relay
	release func() // of the answer
	done    chan updated
	at      store.Version // of the update
	last    store.Version // of the other node's
}

type updated struct {
	version store.Version
	err     error
}

func updateLate(t *testing.T) *lateUpdate {
	t.Helper()
	server := natsserver.Start(t, 1, servers.NATSOptions{Password: "a password"})[0]
	u := &lateUpdate{between: relay.New(t, server.Addr()), done: make(chan updated, 1)}
	// A busy server is not a dead one.
	slow, err := nats.Connect(server.URLAt(u.between.Addr()), append(natsstore.Options(), nats.PingInterval(time.Minute))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(slow.Close)
	u.mine = newStore(t, natsstore.Config{Conn: slow, Timeout: 10 * time.Minute})
	other := newStore(t, natsstore.Config{Conn: dial(t, server)})
	r := store.Record{ID: "late", Owner: "user:42", Data: []byte("first"), Expires: in(time.Hour)}
	if r.Version, err = u.mine.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{})
	u.release = sync.OnceFunc(func() { close(answered) })
	t.Cleanup(u.release)
	u.between.OnReply(func(reply []byte) []byte { <-answered; return reply })
	go func() {
		r := r
		r.Data = []byte("mine")
		v, err := u.mine.Update(t.Context(), r)
		u.done <- updated{v, err}
	}()
	var seen store.Record
	eventually(t, "the server has the update", func() bool {
		seen, err = other.Load(t.Context(), r.ID)
		return err == nil && seen.Version != r.Version
	})
	u.at = seen.Version
	seen.Data = []byte("other")
	if u.last, err = other.Update(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	<-time.After(2500 * time.Millisecond) // the store has asked again
	return u
}

// A busy server answers an update later than the store asks again, and another node has changed the
// session by then. The late answer says what became of the update: the caller gets it, and not that
// nobody knows.
func TestALateAnswerCounts(t *testing.T) {
	t.Parallel()
	u := updateLate(t)
	u.release()
	if got := <-u.done; got.err != nil || got.version != u.at {
		t.Errorf("the update: version %d, %v; want version %d", got.version, got.err, u.at)
	}
	if got, err := u.mine.Load(t.Context(), "late"); err != nil || string(got.Data) != "other" || got.Version != u.last {
		t.Errorf("then Load: %+v, %v; want the other node's update", got, err)
	}
}

// If the connection is lost, the answer never comes, and the call does not wait for it.
func TestALostAnswerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	u := updateLate(t)
	u.between.OnReply(nil)
	u.between.Cut()
	u.release()
	select {
	case got := <-u.done:
		if got.err == nil || !strings.Contains(got.err.Error(), "not known") {
			t.Errorf("the update: version %d, %v; want an error that says that its outcome is not known", got.version, got.err)
		}
	case <-time.After(3 * time.Minute):
		t.Fatal("the update waits for an answer over a connection that was lost")
	}
}
