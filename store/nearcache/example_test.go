package nearcache_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
)

// A node's cache stands in front of the store that all nodes share: here one in memory,
// in an application one in Redis or PostgreSQL.
func Example() {
	shared := memstore.New(memstore.Config{})
	defer shared.Close()
	near, err := nearcache.New(shared, nearcache.Config{MaxBytes: 16 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer near.Close()

	ctx := context.Background()
	r := store.Record{ID: "id", Data: []byte(`{"user":"ada"}`), Expires: time.Now().Add(time.Hour)}
	if _, err := near.Create(ctx, r); err != nil {
		log.Fatal(err)
	}
	got, err := near.Load(ctx, "id")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(got.Data))
	// Output: {"user":"ada"}
}
