package store_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// counted is a decorator: it counts the loads of the store behind it.
type counted struct {
	store.Store
	loads int
}

func (c *counted) Load(ctx context.Context, id string) (store.Record, error) {
	c.loads++
	return c.Store.Load(ctx, id)
}

// Unwrap lets As find the interfaces of the store behind the decorator.
func (c *counted) Unwrap() store.Store { return c.Store }

// A decorator has the five methods. As finds the optional interfaces of the store
// behind it.
func ExampleAs() {
	memory := memstore.New(memstore.Config{})
	defer memory.Close()
	var s store.Store = &counted{Store: memory}

	_, direct := s.(store.Lister)
	lister, found := store.As[store.Lister](s)
	fmt.Println(direct, found)

	ctx := context.Background()
	_, err := s.Create(ctx, store.Record{ID: "id", Owner: "user:42", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		fmt.Println(err)
	}
	for r, err := range lister.List(ctx, "user:42") {
		fmt.Println(r.ID, err)
	}
	// Output:
	// false true
	// id <nil>
}

// Of two writers that have read the same version, one succeeds. The other loads the new
// version and starts again.
func ExampleStore() {
	s := memstore.New(memstore.Config{})
	defer s.Close()
	ctx := context.Background()

	_, err := s.Create(ctx, store.Record{ID: "id", Data: []byte(`{"cart":[]}`), Expires: time.Now().Add(time.Hour)})
	fmt.Println("created:", err)

	first, _ := s.Load(ctx, "id")
	second, _ := s.Load(ctx, "id")

	first.Data = []byte(`{"cart":["tea"]}`)
	_, err = s.Update(ctx, first)
	fmt.Println("first:", err)

	second.Data = []byte(`{"cart":["cup"]}`)
	_, err = s.Update(ctx, second)
	fmt.Println("second:", err, errors.Is(err, store.ErrConflict))

	second, _ = s.Load(ctx, "id")
	second.Data = []byte(`{"cart":["tea","cup"]}`)
	_, err = s.Update(ctx, second)
	fmt.Println("second again:", err)
	// Output:
	// created: <nil>
	// first: <nil>
	// second: store: session changed meanwhile true
	// second again: <nil>
}

// A node that receives a digest finds the record among the records that it has.
func ExampleDigestOf() {
	kept := map[store.Digest]string{}
	for _, id := range []string{"session-1", "session-2"} {
		kept[store.DigestOf(id)] = id
	}
	told := store.Event{Digest: store.DigestOf("session-2"), Ended: true}
	fmt.Println(kept[told.Digest], told.Concerns("session-1"), told.Concerns("session-2"))
	// Output: session-2 false true
}
