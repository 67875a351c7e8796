package linear

import (
	"context"
	"hash/fnv"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/storetest"
)

// table holds the records that several instances share.
type table struct {
	mu      sync.Mutex
	records map[string]store.Record
	version store.Version
}

func newTable() *table { return &table{records: map[string]store.Record{}} }

// live returns the live record under id. The caller holds the lock.
func (t *table) live(id string) (store.Record, error) {
	r, ok := t.records[id]
	if !ok || !r.Expires.After(time.Now()) {
		return store.Record{}, store.ErrNotFound
	}
	return r, nil
}

// put stores r with a new version. The caller holds the lock.
func (t *table) put(r store.Record) store.Version {
	t.version++
	r.Version = t.version
	t.records[r.ID] = r
	return r.Version
}

// force stores r, whatever the table has.
func (t *table) force(r store.Record) store.Version {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.put(r)
}

// kept returns the record under id, expired or not.
func (t *table) kept(id string) (store.Record, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.records[id]
	return r, ok
}

// instance is a node's store on the table. A flaw replaces some of its methods.
type instance struct {
	*table
	load   func(ctx context.Context, id string) (store.Record, error)
	create func(ctx context.Context, r store.Record) (store.Version, error)
	update func(ctx context.Context, r store.Record) (store.Version, error)
	touch  func(ctx context.Context, id string, expires time.Time) error
	delete func(ctx context.Context, id string) error
}

func newInstance(t *table) *instance {
	i := &instance{table: t}
	i.load = func(_ context.Context, id string) (store.Record, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.live(id)
	}
	i.create = func(_ context.Context, r store.Record) (store.Version, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if _, err := t.live(r.ID); err == nil {
			return 0, store.ErrExists
		}
		return t.put(r), nil
	}
	i.update = func(_ context.Context, r store.Record) (store.Version, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		old, err := t.live(r.ID)
		if err != nil {
			return 0, err
		}
		if old.Version != r.Version {
			return 0, store.ErrConflict
		}
		return t.put(r), nil
	}
	i.touch = func(_ context.Context, id string, expires time.Time) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		r, err := t.live(id)
		if err != nil {
			return err
		}
		r.Expires = expires
		t.records[id] = r
		return nil
	}
	i.delete = func(_ context.Context, id string) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.records, id)
		return nil
	}
	return i
}

func (i *instance) Load(ctx context.Context, id string) (store.Record, error) { return i.load(ctx, id) }

func (i *instance) Create(ctx context.Context, r store.Record) (store.Version, error) {
	return i.create(ctx, r)
}

func (i *instance) Update(ctx context.Context, r store.Record) (store.Version, error) {
	return i.update(ctx, r)
}

func (i *instance) Touch(ctx context.Context, id string, expires time.Time) error {
	return i.touch(ctx, id, expires)
}

func (i *instance) Delete(ctx context.Context, id string) error { return i.delete(ctx, id) }

// opened returns three instances on one table, each with the flaw.
func opened(bend func(*instance)) storetest.Opened {
	t := newTable()
	node := func() store.Store {
		i := newInstance(t)
		bend(i)
		return i
	}
	return storetest.Opened{Store: node(), Peers: []store.Store{node(), node()}}
}

// pause is the time between a check and the write that depends on it.
func pause() {
	timer := time.NewTimer(200 * time.Microsecond)
	defer timer.Stop()
	<-timer.C
}

// digested has versions that are digests of the contents: equal contents, equal versions.
func digested(i *instance) {
	digest := func(r store.Record) store.Version {
		h := fnv.New64a()
		h.Write(r.Data)
		return store.Version(h.Sum64())
	}
	load, create := i.load, i.create
	i.load = func(ctx context.Context, id string) (store.Record, error) {
		r, err := load(ctx, id)
		r.Version = digest(r)
		return r, err
	}
	i.create = func(ctx context.Context, r store.Record) (store.Version, error) {
		_, err := create(ctx, r)
		return digest(r), err
	}
	i.update = func(_ context.Context, r store.Record) (store.Version, error) {
		i.mu.Lock()
		defer i.mu.Unlock()
		old, err := i.live(r.ID)
		if err != nil {
			return 0, err
		}
		if digest(old) != r.Version {
			return 0, store.ErrConflict
		}
		i.put(r)
		return digest(r), nil
	}
}

// rewriting gives a record another version in Touch, like a database whose version is that of the
// row.
func rewriting(i *instance) {
	i.touch = func(_ context.Context, id string, expires time.Time) error {
		i.mu.Lock()
		defer i.mu.Unlock()
		r, err := i.live(id)
		if err == nil {
			r.Expires = expires
			i.put(r)
		}
		return err
	}
}

// Stores that keep the contract pass, whatever their versions are.
func TestCorrectStoresPass(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]func(*instance){
		"Plain":     func(*instance) {},
		"Digests":   digested,
		"Rewriting": rewriting,
		"Ownerless": func(i *instance) {
			load := i.load
			i.load = func(ctx context.Context, id string) (store.Record, error) {
				r, err := load(ctx, id)
				r.Owner = ""
				return r, err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			Check(t, func(*testing.T) storetest.Opened { return opened(bend) },
				Options{WithoutOwner: name == "Ownerless", Rounds: 10})
		})
	}
}
