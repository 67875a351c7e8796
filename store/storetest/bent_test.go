package storetest

import (
	"context"
	"iter"
	"time"

	"github.com/nestsession/session/store"
)

// bent is a simple store, of which a flaw has replaced some methods. The other methods are those of
// a correct store.
type bent struct {
	*table
	peer store.Store // another node on the table; by default a faultless one

	load   func(ctx context.Context, id string) (store.Record, error)
	since  func(ctx context.Context, id string, have store.Version) (store.Record, error)
	create func(ctx context.Context, r store.Record) (store.Version, error)
	update func(ctx context.Context, r store.Record) (store.Version, error)
	touch  func(ctx context.Context, id string, expires time.Time) error
	delete func(ctx context.Context, id string) error
	list   func(ctx context.Context, owner string) iter.Seq2[store.Record, error]
	watch  func(ctx context.Context, fn func(store.Event)) error
	sweep  func(ctx context.Context) (int, error)
	ping   func(ctx context.Context) error
	close  func() error
}

func newBent() *bent {
	t := newTable()
	b := &bent{
		table:  t,
		peer:   simple{t},
		load:   t.Load,
		create: t.Create,
		update: t.Update,
		touch:  t.Touch,
		delete: t.Delete,
		list:   t.List,
		watch:  t.Watch,
		sweep:  t.Sweep,
		ping:   t.Ping,
		close:  t.Close,
	}
	b.since = func(ctx context.Context, id string, have store.Version) (store.Record, error) {
		r, err := b.load(ctx, id)
		return newer(r, have), err
	}
	return b
}

func (b *bent) Load(ctx context.Context, id string) (store.Record, error) { return b.load(ctx, id) }

func (b *bent) LoadSince(ctx context.Context, id string, have store.Version) (store.Record, error) {
	return b.since(ctx, id, have)
}

func (b *bent) Create(ctx context.Context, r store.Record) (store.Version, error) {
	return b.create(ctx, r)
}

func (b *bent) Update(ctx context.Context, r store.Record) (store.Version, error) {
	return b.update(ctx, r)
}

func (b *bent) Touch(ctx context.Context, id string, expires time.Time) error {
	return b.touch(ctx, id, expires)
}

func (b *bent) Delete(ctx context.Context, id string) error { return b.delete(ctx, id) }

func (b *bent) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return b.list(ctx, owner)
}

func (b *bent) Watch(ctx context.Context, fn func(store.Event)) error { return b.watch(ctx, fn) }

func (b *bent) Sweep(ctx context.Context) (int, error) { return b.sweep(ctx) }

func (b *bent) Ping(ctx context.Context) error { return b.ping(ctx) }

func (b *bent) Close() error { return b.close() }

// kept returns the table's record with the id, expired or not.
func (b *bent) kept(id string) (store.Record, bool) {
	b.lock()
	defer b.unlock()
	r, ok := b.records[id]
	return r, ok
}

// edit changes the table's record with the id in a way that no call of a Store does.
func (b *bent) edit(id string, change func(*store.Record)) {
	b.lock()
	defer b.unlock()
	if r, ok := b.records[id]; ok {
		change(&r)
		b.records[id] = r
	}
}

// force stores r, whatever the table has.
func (b *bent) force(r store.Record) store.Version {
	b.lock()
	defer b.unlock()
	return b.put(r)
}

// pause is the time between a check and the write that depends on it.
func pause() {
	_ = wait(context.Background(), time.Millisecond)
}

// mapped applies the flaw to each record that is written.
func (b *bent) mapped(change func(*store.Record)) {
	b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
		change(&r)
		return b.table.Create(ctx, r)
	}
	b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
		change(&r)
		return b.table.Update(ctx, r)
	}
}

// renamed applies the flaw to each id.
func (b *bent) renamed(name func(string) string) {
	b.load = func(ctx context.Context, id string) (store.Record, error) {
		r, err := b.table.Load(ctx, name(id))
		r.ID = id
		return r, err
	}
	b.mapped(func(r *store.Record) { r.ID = name(r.ID) })
	b.touch = func(ctx context.Context, id string, expires time.Time) error {
		return b.table.Touch(ctx, name(id), expires)
	}
	b.delete = func(ctx context.Context, id string) error { return b.table.Delete(ctx, name(id)) }
}

// listed applies the flaw to a list before it is yielded.
func (b *bent) listed(change func(owner string, all []store.Record) []store.Record) {
	b.list = func(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
		return func(yield func(store.Record, error) bool) {
			if err := b.begin(ctx); err != nil {
				yield(store.Record{}, err)
				return
			}
			var all []store.Record
			for _, r := range b.records {
				all = append(all, r)
			}
			b.unlock()
			for _, r := range change(owner, all) {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}
