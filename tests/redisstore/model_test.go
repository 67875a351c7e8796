package redisstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

// Whatever writers and trimmers do at the same time, no session that lives is
// missing from its owner's list. The trimmers' clock is ahead by the grace that
// entries have, so that nothing but the order of the commands protects them.
func TestNoSessionIsMissed(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		if c.Express && len(o.InitAddress) > 1 {
			// There a session may be written after its entry fell due, for its time to
			// live is reckoned from then; it is the grace that protects it.
			c.Now = ahead(0).now
		}
		const writers, steps, ids, owners = 4, 250, 12, 3
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		now := c.Now
		if now == nil {
			now = ahead(time.Hour).now
		}
		var writing, trimming sync.WaitGroup
		for w := range writers {
			c.Client = connect(t, o)
			s := newStore(t, c)
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			writing.Go(func() {
				for range steps {
					if err := step(t, s, random, ids, owners); err != nil {
						t.Errorf("writer %d: %v", w, err)
					}
				}
			})
		}
		done := make(chan struct{})
		for range 2 {
			c := c
			c.Client, c.Now = connect(t, o), now
			s := newStore(t, c)
			trimming.Go(func() {
				for {
					if _, err := s.TrimOwners(t.Context()); err != nil {
						t.Errorf("trimmer: %v", err)
					}
					for owner := range owners {
						for _, err := range s.List(t.Context(), fmt.Sprint("user:", owner)) {
							if err != nil {
								t.Errorf("List: %v", err)
							}
						}
					}
					select {
					case <-done:
						return
					default:
					}
				}
			})
		}
		writing.Wait()
		close(done)
		trimming.Wait()

		c.Client = connect(t, o)
		s := newStore(t, c)
		want := map[string][]string{}
		for r, err := range s.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			if time.Until(r.Expires) > time.Minute { // those that last until they are compared
				want[r.Owner] = append(want[r.Owner], r.ID)
			}
		}
		for owner := range owners {
			owner := fmt.Sprint("user:", owner)
			got := idsOf(t, s, owner)
			for _, id := range want[owner] {
				if !slices.Contains(got, id) {
					t.Errorf("session %s of %s lives and is not listed", id, owner)
				}
			}
		}
	})
}

// step does something to one of the sessions.
func step(t *testing.T, s *redisstore.Store, random *rand.Rand, ids, owners int) error {
	ctx := t.Context()
	expires := in([]time.Duration{time.Millisecond, 5 * time.Millisecond, 1100 * time.Millisecond, time.Hour}[random.IntN(4)])
	r := owned(fmt.Sprint("id", random.IntN(ids)), fmt.Sprint("user:", random.IntN(owners)), expires)
	var err error
	switch random.IntN(8) {
	case 0, 1, 2:
		_, err = s.Create(ctx, r)
	case 3, 4, 5:
		var kept store.Record
		if kept, err = s.Load(ctx, r.ID); err == nil {
			r.Version = kept.Version
			_, err = s.Update(ctx, r)
		}
	case 6:
		err = s.Touch(ctx, r.ID, expires)
	case 7:
		err = s.Delete(ctx, r.ID)
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}
