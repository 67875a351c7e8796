package memstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// A session that lives throughout is listed once, whatever writers do at the same time.
func TestListWhileOthersComeAndGo(t *testing.T) {
	t.Parallel()
	for _, owner := range []string{"", "user:1"} {
		t.Run("owner="+owner, func(t *testing.T) {
			t.Parallel()
			f := setup(t, memstore.Config{MaxSessions: 10_000})
			expires := f.clock.now().Add(time.Hour)
			create := func(id string) {
				_, _ = f.Create(context.Background(), store.Record{ID: id, Owner: "user:1", Expires: expires})
			}
			const steady = 1000
			for i := range steady {
				create(fmt.Sprint("passing", i))
				create(fmt.Sprint("steady", i))
			}
			ctx, stop := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			for w := range 2 {
				wg.Go(func() {
					for ctx.Err() == nil {
						id := fmt.Sprint("passing", w*steady/2+rand.IntN(steady/2))
						if f.Delete(context.Background(), id) == nil {
							create(id)
						}
					}
				})
			}
			for range 20 {
				seen := map[string]int{}
				for r, err := range f.List(context.Background(), owner) {
					if err != nil {
						t.Fatal(err)
					}
					seen[r.ID]++
				}
				for i := range steady {
					if n := seen[fmt.Sprint("steady", i)]; n != 1 {
						t.Fatalf("a session that lived throughout was listed %d times", n)
					}
				}
			}
			stop()
			wg.Wait()
		})
	}
}

// The session at which an iteration paused may have been removed when it continues, and its
// neighbours, too.
func TestListGoesOnWhereSessionsHaveGone(t *testing.T) {
	t.Parallel()
	for _, owner := range []string{"", "user:1"} {
		for seed := range uint64(20) {
			f := setup(t, memstore.Config{MaxSessions: 1000})
			ctx := context.Background()
			rng := rand.New(rand.NewPCG(seed, 1))
			versions := map[string]store.Version{}
			for i := range 500 {
				id := fmt.Sprint(i)
				versions[id], _ = f.Create(ctx, store.Record{ID: id, Owner: "user:1"})
			}
			seen := map[string]int{}
			changed := map[string]bool{}
			for r, err := range f.List(ctx, owner) {
				if err != nil {
					t.Fatal(err)
				}
				seen[r.ID]++
				for range 1 + rng.IntN(3) {
					id := r.ID
					if rng.IntN(3) > 0 {
						id = fmt.Sprint(rng.IntN(500))
					}
					changed[id] = true
					if rng.IntN(2) == 0 {
						_ = f.Delete(ctx, id)
						continue
					}
					// Away to another owner, and perhaps back.
					for range 1 + rng.IntN(2) {
						kept, err := f.Load(ctx, id)
						if err != nil {
							break
						}
						kept.Owner = map[string]string{"user:1": "user:2", "user:2": "user:1"}[kept.Owner]
						_, _ = f.Update(ctx, kept)
					}
				}
			}
			for id := range versions {
				if !changed[id] && seen[id] != 1 {
					t.Fatalf("seed %d: a session that lived throughout was listed %d times", seed, seen[id])
				}
			}
		}
	}
}

// Listing does not count as using a session: it does not change which one is evicted next.
func TestListIsNoUse(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxSessions: 2})
	f.create("a")
	f.create("b")
	for r := range f.List(context.Background(), "") {
		if r.ID == "a" {
			break
		}
	}
	f.create("c")
	f.holds("b", "c")
}
