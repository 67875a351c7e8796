package redisstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// held is a client whose commands wait, whatever their context says, as one does that
// rueidis has in its queue.
type held struct {
	rueidis.Client
	asked, release chan struct{}
}

func (h held) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	h.asked <- struct{}{}
	<-h.release
	return h.Client.Do(context.WithoutCancel(ctx), cmd)
}

// A write whose caller has given up is done after a later read on the same connection. The
// server reports it, though it is the store's own write.
func TestWriteAfterALaterRead(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	for name, write := range map[string]func(context.Context, *nearcache.Cache, store.Record) error{
		"Delete": func(ctx context.Context, n *nearcache.Cache, r store.Record) error { return n.Delete(ctx, r.ID) },
		"Update": func(ctx context.Context, n *nearcache.Cache, r store.Record) error {
			r.Data = []byte("new")
			_, err := n.Update(ctx, r)
			return err
		},
		"Touch": func(ctx context.Context, n *nearcache.Cache, r store.Record) error {
			return n.Touch(ctx, r.ID, time.Now().Add(-time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := rueidis.ClientOption{InitAddress: []string{server.Addr()}}
			s, err := Open(t.Context(), o, Config{Express: true, Prefix: fmt.Sprintf("late%d:", time.Now().UnixNano()), TrimInterval: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			n, err := nearcache.New(s, nearcache.Config{MaxStale: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			if _, err := n.Create(t.Context(), store.Record{ID: "id", Data: []byte("old"), Expires: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			// The server knows the scripts.
			r, err := s.Load(t.Context(), "id")
			if err == nil {
				r.Version, err = s.Update(t.Context(), r)
			}
			if err == nil {
				err = s.Touch(t.Context(), "id", r.Expires)
			}
			if err != nil {
				t.Fatal(err)
			}
			h := held{s.client, make(chan struct{}, 4), make(chan struct{})}
			s.writes, s.updates = newQueue(h, nil, false), s.newUpdates(h)
			ctx, cancel := context.WithCancel(t.Context())
			written := make(chan error)
			go func() { written <- write(ctx, n, r) }()
			<-h.asked
			cancel()
			if err := <-written; !errors.Is(err, context.Canceled) {
				t.Fatalf("the write: %v", err)
			}
			for hits := n.Stats().Hits; n.Stats().Hits == hits; {
				if got, err := n.Load(t.Context(), "id"); err != nil || string(got.Data) != "old" {
					t.Fatalf("before the write: %q, %v", got.Data, err)
				}
			}
			close(h.release)
			for deadline := time.Now().Add(2 * time.Minute); ; <-time.After(time.Millisecond) {
				if got, err := n.Load(t.Context(), "id"); err != nil || string(got.Data) != "old" {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the state before the write is still read from memory")
				}
			}
		})
	}
}
