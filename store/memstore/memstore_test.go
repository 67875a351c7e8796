package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s := memstore.New(memstore.Config{})
	defer s.Close()
	ctx := context.Background()
	for i := range 1000 {
		id := fmt.Sprint(i)
		v, err := s.Create(ctx, store.Record{ID: id, Owner: "o" + fmt.Sprint(i%10), Data: []byte(id), Expires: time.Now().Add(time.Hour)})
		if err != nil || v == 0 {
			t.Fatal(v, err)
		}
		if i%2 == 0 {
			if err := s.Delete(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := 0
	for r, err := range s.List(ctx, "o3") {
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 100 {
		t.Fatal(n)
	}
	if got := s.Stats(); got.Sessions != 400 {
		t.Fatal(got)
	}
	if _, err := s.Load(ctx, "3"); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
}
