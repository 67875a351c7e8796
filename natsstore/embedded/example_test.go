package embedded_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/natsstore/embedded"
	"github.com/nestsession/session/store"
)

// Three nodes form a cluster. Here they are in one process; in an application each starts its own
// server, on a machine of its own.
func ExampleStart() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nodes := []string{"127.0.0.1:26221", "127.0.0.1:26222", "127.0.0.1:26223"}
	var stores []*natsstore.Store
	for i, address := range nodes {
		folder, err := os.MkdirTemp("", "nats")
		if err != nil {
			log.Fatal(err)
		}
		defer os.RemoveAll(folder)
		server, err := embedded.Start(ctx, embedded.Config{
			Name:   fmt.Sprint("node", i+1),
			Folder: folder,
			Listen: address,
			Routes: nodes,
			Secret: "a secret of the cluster",
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			log.Fatal(err)
		}
		defer server.Close()
		conn, err := server.Connect()
		if err != nil {
			log.Fatal(err)
		}
		defer conn.Close()
		if i < 2 {
			continue // a cluster works when the majority has started
		}
		s, err := natsstore.New(ctx, natsstore.Config{Conn: conn})
		if err != nil {
			log.Fatal(err)
		}
		defer s.Close()
		stores = append(stores, s)
	}
	if _, err := stores[0].Create(ctx, store.Record{ID: "id", Data: []byte(`{"cart":[]}`), Expires: time.Now().Add(time.Hour)}); err != nil {
		log.Fatal(err)
	}
	r, err := stores[0].Load(ctx, "id")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", r.Data)
	// Output: {"cart":[]}
}
