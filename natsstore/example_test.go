package natsstore_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/natsstore/embedded"
	"github.com/nestsession/session/store"
)

// exampleServer is a server for the examples. In an application the servers are those of its own.
func exampleServer() (s *embedded.Server, end func()) {
	folder, err := os.MkdirTemp("", "nats")
	if err != nil {
		log.Fatal(err)
	}
	s, err = embedded.Start(context.Background(), embedded.Config{
		Folder:  folder,
		Clients: "127.0.0.1:24222",
		Secret:  "a secret of the servers",
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	return s, func() {
		s.Close()
		os.RemoveAll(folder)
	}
}

func ExampleNew() {
	ctx := context.Background()
	server, end := exampleServer()
	defer end()
	conn, err := nats.Connect("nats://nest:a%20secret%20of%20the%20servers@"+server.Addr(), natsstore.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	s, err := natsstore.New(ctx, natsstore.Config{Conn: conn})
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

// Open makes the connection, and Close closes it.
func ExampleOpen() {
	ctx := context.Background()
	server, end := exampleServer()
	defer end()
	s, err := natsstore.Open(ctx, "nats://"+server.Addr(), natsstore.Config{Bucket: "shop"},
		nats.UserInfo("nest", "a secret of the servers"))
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	fmt.Println(s.Ping(ctx))
	// Output: <nil>
}

// All sessions of an owner end, wherever they are.
func ExampleStore_List() {
	ctx := context.Background()
	server, end := exampleServer()
	defer end()
	conn, err := server.Connect()
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	s, err := natsstore.New(ctx, natsstore.Config{Conn: conn})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for i, owner := range []string{"user:1", "user:2", "user:1"} {
		r := store.Record{ID: fmt.Sprint("id", i), Owner: owner, Expires: time.Now().Add(time.Hour)}
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
