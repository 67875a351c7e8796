package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// gate is a client whose commands wait for it to open.
type gate struct {
	rueidis.Client
	open chan struct{}
	came chan struct{}
	sent atomic.Int64 // times that something was sent
}

func (g *gate) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	g.sent.Add(1)
	g.came <- struct{}{}
	<-g.open
	return g.Client.Do(ctx, cmd)
}

// party is some calls that are sent in one batch, while as many others as possible are on their
// way.
type party struct {
	store *Store
	gate  *gate
	wg    sync.WaitGroup
}

// hold sends as many calls as may be on their way, and holds them back.
func hold(t *testing.T, s *Store, call func()) *party {
	t.Helper()
	g := &gate{Client: s.client, open: make(chan struct{}), came: make(chan struct{}, 1000)}
	p := &party{store: s, gate: g}
	s.direct.close()
	s.direct = nil // calls go through the gate
	s.client, s.updates = g, s.newUpdates(g)
	s.gets.MaxDelay, s.updates.MaxDelay = time.Hour, time.Hour
	for range maxInFlight {
		p.wg.Go(call)
		<-g.came
	}
	return p
}

// join adds a call to the batch.
func (p *party) join(t *testing.T, call func()) {
	t.Helper()
	waiting := func() int { return p.store.gets.Waiting() + p.store.updates.Waiting() }
	before := waiting()
	p.wg.Go(call)
	for deadline := time.Now().Add(2 * time.Minute); waiting() == before; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a call does not wait in the queue")
		}
	}
}

// finish lets all commands through, and returns how many the batch has sent.
func (p *party) finish() int64 {
	close(p.gate.open)
	p.wg.Wait()
	p.store.client = p.gate.Client
	return p.gate.sent.Load() - maxInFlight
}

// sharing is a store on a server of the tests.
func sharing(t *testing.T, server *server, c Config) *Store {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c.Client, c.Prefix, c.TrimInterval = client, fmt.Sprintf("batch%d:", time.Now().UnixNano()), -1
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *Store) mustCreate(t *testing.T, r store.Record) store.Record {
	t.Helper()
	var err error
	if r.Version, err = s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// A batch of reads is one command, and each is answered as if it were unbatched.
func TestBatchedReads(t *testing.T) {
	t.Parallel()
	s := sharing(t, startRedis(t), Config{})
	const sessions = 5
	for i := range sessions {
		s.mustCreate(t, store.Record{ID: fmt.Sprint(i), Owner: fmt.Sprint("user", i), Data: fmt.Append(nil, "data ", i), Expires: time.Now().Add(time.Hour)})
	}
	for key, command := range map[string]rueidis.Completed{
		"a list":     s.b.Lpush().Key(s.key("a list")).Element("x").Build(),
		"some value": s.b.Set().Key(s.key("some value")).Value("x").Build(),
	} {
		if err := s.client.Do(t.Context(), command).Error(); err != nil {
			t.Fatal(key, err)
		}
	}
	p := hold(t, s, func() { _, _ = s.Load(t.Context(), "0") })
	for i := range sessions {
		p.join(t, func() {
			r, err := s.Load(t.Context(), fmt.Sprint(i))
			if err != nil || r.ID != fmt.Sprint(i) || r.Owner != fmt.Sprint("user", i) || string(r.Data) != fmt.Sprint("data ", i) {
				t.Errorf("session %d: %+v, %v", i, r, err)
			}
		})
	}
	p.join(t, func() {
		if _, err := s.Load(t.Context(), "absent"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a session that is not there: %v", err)
		}
	})
	p.join(t, func() {
		if r, err := s.Load(t.Context(), "a list"); err != nil || r.ID != "a list" || r.Version == 0 || len(r.Data) > 0 {
			t.Errorf("a key that holds a list: %+v, %v", r, err)
		}
	})
	p.join(t, func() {
		if r, err := s.Load(t.Context(), "some value"); err != nil || r.ID != "some value" || r.Version == 0 || len(r.Data) > 0 {
			t.Errorf("a value of another program: %+v, %v", r, err)
		}
	})
	// What MGET does not answer is read once more; that is sent by DoMulti.
	if n := p.finish(); n != 1 {
		t.Errorf("%d commands were sent, want 1", n)
	}
}

// Each caller of a batch gets the server's error.
func TestBatchedReadsFail(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	s := sharing(t, server, Config{})
	s.mustCreate(t, store.Record{ID: "0", Expires: time.Now().Add(time.Hour)})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p := hold(t, s, func() { _, _ = s.Load(ctx, "0") })
	for range 3 {
		p.join(t, func() {
			if _, err := s.Load(ctx, "0"); err == nil || errors.Is(err, store.ErrNotFound) {
				t.Errorf("Load without a server: %v", err)
			}
		})
	}
	server.Kill()
	p.finish()
}
