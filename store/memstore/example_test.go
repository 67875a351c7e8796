package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

func ExampleNew() {
	s := memstore.New(memstore.Config{MaxSessions: 200_000})
	defer s.Close()
	ctx := context.Background()

	version, err := s.Create(ctx, store.Record{
		ID:      "id",
		Owner:   "user:42",
		Data:    []byte(`{"user":{"name":"Ada"}}`),
		Expires: time.Now().Add(time.Hour),
	})
	fmt.Println(version != 0, err)

	r, err := s.Load(ctx, "id")
	fmt.Println(string(r.Data), err)

	fmt.Println(s.Delete(ctx, "id"))
	_, err = s.Load(ctx, "id")
	fmt.Println(err)
	// Output:
	// true <nil>
	// {"user":{"name":"Ada"}} <nil>
	// <nil>
	// store: no such session
}

// The sessions of a single node survive a restart: Close writes them to a file, and Open
// restores them.
func ExampleOpen() {
	folder, err := os.MkdirTemp("", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "sessions.snapshot")
	ctx := context.Background()

	before, err := memstore.Open(file, memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := before.Create(ctx, store.Record{ID: "id", Data: []byte(`{"user":{"name":"Ada"}}`)}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(before.Close()) // after the server has finished its requests

	after, err := memstore.Open(file, memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer after.Close()
	r, err := after.Load(ctx, "id")
	fmt.Println(string(r.Data), err)
	// Output:
	// <nil>
	// {"user":{"name":"Ada"}} <nil>
}

// At its limit a store evicts the session that was used the longest ago, or refuses the
// new one.
func ExampleConfig() {
	ctx := context.Background()
	for _, atLimit := range []memstore.AtLimit{memstore.EvictLeastRecentlyUsed, memstore.Refuse} {
		s := memstore.New(memstore.Config{MaxSessions: 2, AtLimit: atLimit})
		s.Create(ctx, store.Record{ID: "first"})
		s.Create(ctx, store.Record{ID: "second"})
		s.Load(ctx, "first")
		_, err := s.Create(ctx, store.Record{ID: "third"})
		_, first := s.Load(ctx, "first")
		_, second := s.Load(ctx, "second")
		fmt.Println(err, "/", first, "/", second)
		s.Close()
	}
	// Output:
	// <nil> / <nil> / store: no such session
	// store: full / <nil> / <nil>
}

// Tests can set the clock.
func ExampleConfig_now() {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s := memstore.New(memstore.Config{Now: func() time.Time { return now }})
	defer s.Close()
	ctx := context.Background()

	s.Create(ctx, store.Record{ID: "id", Expires: now.Add(time.Hour)})
	now = now.Add(time.Hour)
	_, err := s.Load(ctx, "id")
	fmt.Println(errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrNotFound))
	// Output: true true
}

// Watch reports each session that changes or ends.
func ExampleStore_Watch() {
	s := memstore.New(memstore.Config{})
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.Create(ctx, store.Record{ID: "id"})

	err := s.Watch(ctx, func(ev store.Event) {
		switch {
		case ev.ID == "":
			fmt.Println("watching: what was known before may be out of date")
			s.Touch(ctx, "id", time.Now().Add(time.Hour))
			s.Delete(ctx, "id")
		case ev.Ended:
			fmt.Println(ev.ID, "has ended")
			cancel()
		default:
			fmt.Println(ev.ID, "has changed")
		}
	})
	fmt.Println(err)
	// Output:
	// watching: what was known before may be out of date
	// id has changed
	// id has ended
	// context canceled
}

// Stats has the numbers for metrics.
func ExampleStore_Stats() {
	s := memstore.New(memstore.Config{MaxSessions: 2})
	defer s.Close()
	for _, id := range []string{"a", "b", "c"} {
		s.Create(context.Background(), store.Record{ID: id, Data: []byte("{}")})
	}
	fmt.Printf("%+v\n", s.Stats())
	// Output: {Sessions:2 Bytes:134 Evicted:1 Refused:0 Expired:0}
}
