package linear

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/store"
)

// flaw is a race, or another mistake, that the check must find.
type flaw struct {
	does string
	bend func(*instance)
}

var flaws = []flaw{
	{"compares versions in Update, and then writes", func(i *instance) {
		i.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			old, err := i.Load(ctx, r.ID)
			switch {
			case err != nil:
				return 0, err
			case old.Version != r.Version:
				return 0, store.ErrConflict
			}
			pause()
			return i.force(r), nil
		}
	}},
	{"brings back in Touch what was deleted meanwhile", func(i *instance) {
		i.touch = func(ctx context.Context, id string, expires time.Time) error {
			r, err := i.Load(ctx, id)
			if err != nil {
				return err
			}
			pause()
			i.mu.Lock()
			defer i.mu.Unlock()
			if now, err := i.live(id); err == nil {
				r = now
			}
			r.Expires = expires
			i.records[id] = r
			return nil
		}
	}},
	{"writes in Touch the whole record back", func(i *instance) {
		i.touch = func(ctx context.Context, id string, expires time.Time) error {
			r, err := i.Load(ctx, id)
			if err != nil {
				return err
			}
			pause()
			i.mu.Lock()
			defer i.mu.Unlock()
			if _, err := i.live(id); err != nil {
				return err
			}
			r.Expires = expires
			i.records[id] = r
			return nil
		}
	}},
	{"looks for a record in Create, and then overwrites it", func(i *instance) {
		i.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			if _, err := i.Load(ctx, r.ID); err == nil {
				return 0, store.ErrExists
			}
			pause()
			return i.force(r), nil
		}
	}},
	{"replaces an expired record in two steps", func(i *instance) {
		right := i.create
		i.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			if old, ok := i.kept(r.ID); ok && !old.Expires.After(time.Now()) {
				pause()
				return i.force(r), nil
			}
			return right(ctx, r)
		}
	}},
	{"loses a Delete that somebody was faster than", func(i *instance) {
		i.delete = func(ctx context.Context, id string) error {
			old, _ := i.Load(ctx, id)
			pause()
			i.mu.Lock()
			defer i.mu.Unlock()
			if i.records[id].Version == old.Version {
				delete(i.records, id)
			}
			return nil
		}
	}},
	{"loads from a cache what others have replaced", func(i *instance) {
		cached(i, 2*time.Millisecond)
	}},
	{"creates in Update what is not there", func(i *instance) {
		right := i.update
		i.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			v, err := right(ctx, r)
			if errors.Is(err, store.ErrNotFound) {
				return i.force(r), nil
			}
			return v, err
		}
	}},
	{"ends a record by Update whatever version is kept", func(i *instance) {
		right := i.update
		i.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			if r.Expires.After(time.Now()) {
				return right(ctx, r)
			}
			if _, err := i.Load(ctx, r.ID); err != nil {
				return 0, err
			}
			return i.force(r), nil
		}
	}},
	{"revives in Touch what has expired", func(i *instance) {
		i.touch = func(_ context.Context, id string, expires time.Time) error {
			i.mu.Lock()
			defer i.mu.Unlock()
			r, ok := i.records[id]
			if !ok {
				return store.ErrNotFound
			}
			r.Expires = expires
			i.records[id] = r
			return nil
		}
	}},
	{"loads what has expired", func(i *instance) {
		i.load = func(_ context.Context, id string) (store.Record, error) {
			r, ok := i.kept(id)
			if !ok {
				return r, store.ErrNotFound
			}
			return r, nil
		}
	}},
	{"ends records early", func(i *instance) {
		right := i.load
		i.load = func(ctx context.Context, id string) (store.Record, error) {
			r, err := right(ctx, id)
			if err == nil && time.Until(r.Expires) < 80*time.Minute {
				return store.Record{}, store.ErrNotFound
			}
			return r, err
		}
	}},
	{"loses a Touch", func(i *instance) {
		right := i.touch
		var n atomic.Int64
		i.touch = func(ctx context.Context, id string, expires time.Time) error {
			if n.Add(1)%4 == 0 {
				_, err := i.Load(ctx, id)
				return err
			}
			return right(ctx, id, expires)
		}
	}},
	{"keeps the expiry in Update as it was", func(i *instance) {
		right := i.update
		i.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			if old, ok := i.kept(r.ID); ok {
				r.Expires = old.Expires
			}
			return right(ctx, r)
		}
	}},
	{"answers ErrConflict where there was none", func(i *instance) {
		right := i.update
		var n atomic.Int64
		i.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			if n.Add(1)%8 == 0 {
				if _, err := i.Load(ctx, r.ID); err == nil {
					return 0, store.ErrConflict
				}
			}
			return right(ctx, r)
		}
	}},
	{"answers ErrNotFound to a Delete", func(i *instance) {
		i.delete = func(_ context.Context, id string) error {
			i.mu.Lock()
			defer i.mu.Unlock()
			_, err := i.live(id)
			delete(i.records, id)
			return err
		}
	}},
	{"begins to count versions anew after Delete", func(i *instance) {
		i.create = func(_ context.Context, r store.Record) (store.Version, error) {
			i.mu.Lock()
			defer i.mu.Unlock()
			if _, err := i.live(r.ID); err == nil {
				return 0, store.ErrExists
			}
			r.Version = 1 << 40
			i.records[r.ID] = r
			return r.Version, nil
		}
	}},
	{"hands out version zero", func(i *instance) {
		right := i.load
		i.load = func(ctx context.Context, id string) (store.Record, error) {
			r, err := right(ctx, id)
			r.Version = 0
			return r, err
		}
	}},
	{"takes the owner from another record", func(i *instance) {
		right := i.load
		i.load = func(ctx context.Context, id string) (store.Record, error) {
			r, err := right(ctx, id)
			if r.Owner == "user:1" {
				r.Owner = "user:2"
			}
			return r, err
		}
	}},
	{"panics", func(i *instance) {
		i.touch = func(context.Context, string, time.Time) error { panic("oops") }
	}},
}

// cached is a Load that reads only the memory of this instance.
func cached(i *instance, life time.Duration) {
	type memory struct {
		record store.Record
		read   time.Time
	}
	right := i.load
	var memories sync.Map
	i.load = func(ctx context.Context, id string) (store.Record, error) {
		if m, ok := memories.Load(id); ok && time.Since(m.(memory).read) < life {
			return m.(memory).record, nil
		}
		r, err := right(ctx, id)
		if err == nil {
			memories.Store(id, memory{r, time.Now()})
		}
		return r, err
	}
}
