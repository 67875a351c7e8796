package memstore_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// model is a simple map of what a store should hold.
type model struct {
	records map[string]store.Record
	now     time.Time
}

func (m *model) over(r store.Record) bool { return !r.Expires.IsZero() && !r.Expires.After(m.now) }

func (m *model) live(id string) (store.Record, error) {
	r, ok := m.records[id]
	switch {
	case !ok:
		return r, store.ErrNotFound
	case m.over(r):
		return r, store.ErrExpired
	}
	return r, nil
}

// In a long random history the store returns what the model does, at each step.
func TestRandomHistory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			f := setup(t, memstore.Config{MaxSessions: 10_000, SweepInterval: -1})
			m := &model{records: map[string]store.Record{}}
			rng := rand.New(rand.NewPCG(seed, 5))
			ctx := context.Background()
			expiry := func() time.Time {
				if rng.IntN(5) == 0 {
					return time.Time{}
				}
				return m.now.Add(time.Duration(rng.IntN(60)-5) * time.Second)
			}
			owner := func() string { return []string{"", "user:1", "user:2"}[rng.IntN(3)] }
			for step := range 30_000 {
				m.now = f.clock.now()
				id := fmt.Sprint(rng.IntN(400))
				kept, missing := m.live(id)
				var got, want error
				switch op := rng.IntN(12); op {
				case 0, 1, 2:
					r := store.Record{ID: id, Owner: owner(), Data: fmt.Append(nil, step), Expires: expiry()}
					r.Version, got = f.Create(ctx, r)
					if missing == nil {
						want = store.ErrExists
					} else {
						m.records[id] = r
					}
				case 3, 4, 5:
					r := store.Record{ID: id, Owner: owner(), Data: fmt.Append(nil, step), Expires: expiry(), Version: kept.Version}
					if rng.IntN(4) == 0 {
						r.Version--
					}
					stale := r.Version != kept.Version
					r.Version, got = f.Update(ctx, r)
					switch {
					case missing != nil:
						want = missing
					case stale:
						want = store.ErrConflict
					default:
						m.records[id] = r
					}
				case 6, 7:
					kept.Expires = expiry()
					got, want = f.Touch(ctx, id, kept.Expires), missing
					if missing == nil {
						m.records[id] = kept
					}
				case 8:
					got = f.Delete(ctx, id)
					delete(m.records, id)
				case 9:
					f.clock.advance(time.Duration(rng.IntN(2000)) * time.Millisecond)
				case 10:
					if rng.IntN(100) > 0 {
						break
					}
					n, err := f.Sweep(ctx)
					got = err
					for id, r := range m.records {
						if m.over(r) {
							delete(m.records, id)
							n--
						}
					}
					if n != 0 {
						t.Fatalf("step %d: Sweep removed %d too many", step, n)
					}
				case 11:
					if rng.IntN(100) == 0 {
						m.compareList(t, f, owner())
					}
				}
				if got != want {
					t.Fatalf("step %d: %v, want %v", step, got, want)
				}
				m.now = f.clock.now()
				kept, want = m.live(id)
				loaded, got := f.Load(ctx, id)
				if got != want || fmt.Sprint(loaded) != fmt.Sprint(kept) {
					t.Fatalf("step %d: Load %v, %v, want %v, %v", step, loaded, got, kept, want)
				}
			}
		})
	}
}

func alike(a, b store.Record) bool {
	return a.ID == b.ID && a.Owner == b.Owner && bytes.Equal(a.Data, b.Data) && a.Version == b.Version && a.Expires.Equal(b.Expires)
}

func (m *model) compareList(t *testing.T, f *fixture, owner string) {
	t.Helper()
	want := 0
	for _, r := range m.records {
		if !m.over(r) && (owner == "" || r.Owner == owner) {
			want++
		}
	}
	got := 0
	for r, err := range f.List(context.Background(), owner) {
		if err != nil || !alike(r, m.records[r.ID]) {
			t.Fatalf("List: %v, %v, want %v", r, err, m.records[r.ID])
		}
		got++
	}
	if got != want {
		t.Fatalf("List of owner %q: %d records, want %d", owner, got, want)
	}
}
