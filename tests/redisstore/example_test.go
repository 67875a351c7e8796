package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// exampleClient is connected to a server that is started for the examples; in an
// application the address and the password are those of its own.
func exampleClient() rueidis.Client {
	server := servers.SharedRedis(&whole)
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{server.Addr()},
		Password:    server.Password(),
	})
	if err != nil {
		log.Fatal(err)
	}
	return client
}

func ExampleNew() {
	ctx := context.Background()
	client := exampleClient()
	defer client.Close()
	s, err := redisstore.New(ctx, redisstore.Config{Client: client, Prefix: "shop:"})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	_, err = s.Create(ctx, store.Record{ID: "id", Owner: "user:42", Data: []byte(`{"cart":[]}`), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		log.Fatal(err)
	}
	r, err := s.Load(ctx, "id")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s\n", r.Owner, r.Data)
	// Output: user:42 {"cart":[]}
}

// With Express the keys are connect-redis's: here is one that a Node application
// wrote.
func ExampleNew_express() {
	ctx := context.Background()
	client := exampleClient()
	defer client.Close()
	s, err := redisstore.New(ctx, redisstore.Config{
		Client:  client,
		Express: true,
		Prefix:  "example:sess:",                            // as given to RedisStore; by default both have sess:
		OwnerOf: func(document []byte) string { return "" }, // session.OwnerOf
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	node := client.B().Set().Key("example:sess:abc").Value(`{"cookie":{"path":"/"},"views":1}`).ExSeconds(100).Build()
	if err := client.Do(ctx, node).Error(); err != nil {
		log.Fatal(err)
	}
	r, err := s.Load(ctx, "abc")
	if err != nil {
		log.Fatal(err)
	}
	r.Data = []byte(`{"cookie":{"path":"/"},"views":2}`)
	if _, err := s.Update(ctx, r); err != nil {
		log.Fatal(err)
	}
	kept, err := client.Do(ctx, client.B().Get().Key("example:sess:abc").Build()).ToString()
	fmt.Println(kept, err)
	// Output: {"cookie":{"path":"/"},"views":2} <nil>
}

// All sessions of an owner end, wherever they are.
func ExampleStore_List() {
	ctx := context.Background()
	client := exampleClient()
	defer client.Close()
	s, err := redisstore.New(ctx, redisstore.Config{Client: client, Prefix: "listed:"})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for _, owner := range []string{"user:1", "user:2", "user:1"} {
		r := store.Record{ID: fmt.Sprint("id", time.Now().UnixNano()), Owner: owner, Expires: time.Now().Add(time.Hour)}
		if _, err := s.Create(ctx, r); err != nil {
			log.Fatal(err)
		}
	}
	ended := 0
	for r, err := range s.List(ctx, "user:1") {
		if err != nil {
			log.Fatal(err)
		}
		if err := s.Delete(ctx, r.ID); err != nil {
			log.Fatal(err)
		}
		ended++
	}
	left := 0
	for range s.List(ctx, "") {
		left++
	}
	fmt.Println(ended, "ended,", left, "left")
	// Output: 2 ended, 1 left
}

// The store does this by itself from time to time.
func ExampleStore_TrimOwners() {
	ctx := context.Background()
	client := exampleClient()
	defer client.Close()
	var later time.Duration
	s, err := redisstore.New(ctx, redisstore.Config{
		Client:       client,
		Prefix:       "trimmed:",
		TrimInterval: -1, // not by itself as well
		Now:          func() time.Time { return time.Now().Add(later) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for i := range 3 {
		r := store.Record{ID: fmt.Sprint("id", i), Owner: "user:42", Expires: time.Now().Add(time.Hour)}
		if _, err := s.Create(ctx, r); err != nil {
			log.Fatal(err)
		}
		// Somebody else ends it, and leaves its entry in the index.
		if err := client.Do(ctx, client.B().Del().Key("trimmed:"+r.ID).Build()).Error(); err != nil {
			log.Fatal(err)
		}
	}
	later = 2 * time.Hour
	removed, err := s.TrimOwners(ctx)
	fmt.Println(removed, err)
	// Output: 3 <nil>
}

// A store that was opened can be watched: a cache in front of it keeps what is read, and
// hears when anybody changes it.
func ExampleOpen() {
	ctx := context.Background()
	server := servers.SharedRedis(&whole)
	option := rueidis.ClientOption{InitAddress: []string{server.Addr()}, Password: server.Password()}
	s, err := redisstore.Open(ctx, option, redisstore.Config{Prefix: "watched:"})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	near, err := nearcache.New(s, nearcache.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer near.Close()

	_, err = near.Create(ctx, store.Record{ID: "id", Data: []byte(`{"cart":[]}`), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		log.Fatal(err)
	}
	watcher, _ := store.As[store.Watcher](near)
	ctx, stop := context.WithCancel(ctx)
	_ = watcher.Watch(ctx, func(e store.Event) {
		switch {
		case e.ID == "" && e.Whole.IsZero():
			_ = s.Delete(ctx, "id") // as another node might
		case e.ID == "id":
			if _, err := near.Load(ctx, "id"); errors.Is(err, store.ErrNotFound) {
				fmt.Println("logged out")
				stop()
			}
		}
	})
	// Output: logged out
}
