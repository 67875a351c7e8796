package web_test

import (
	"bytes"
	"context"
	"iter"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// brittle is a store that can be down. It counts its calls.
type brittle struct {
	store.Store
	down  atomic.Bool
	asked atomic.Int64
	lists atomic.Int64 // the names of the calls
	read  atomic.Int64 // the records that Lists have yielded

	listsDown atomic.Bool
	onList    atomic.Pointer[func()] // called before the next List
	onEnd     atomic.Pointer[func()] // called before the next session is ended
}

func (b *brittle) Unwrap() store.Store { return b.Store }

func (b *brittle) check() error {
	b.asked.Add(1)
	if b.down.Load() {
		return errDown
	}
	return nil
}

func (b *brittle) Ping(context.Context) error { return b.check() }

func (b *brittle) Load(ctx context.Context, id string) (store.Record, error) {
	if err := b.check(); err != nil {
		return store.Record{}, err
	}
	return b.Store.Load(ctx, id)
}

func (b *brittle) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if err := b.check(); err != nil {
		return 0, err
	}
	return b.Store.Create(ctx, r)
}

func (b *brittle) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if bytes.Contains(r.Data, []byte(`"ended":true`)) {
		if f := b.onEnd.Swap(nil); f != nil {
			(*f)()
		}
	}
	return b.Store.Update(ctx, r)
}

func (b *brittle) Delete(ctx context.Context, id string) error {
	if err := b.check(); err != nil {
		return err
	}
	return b.Store.Delete(ctx, id)
}

// List is the inner store's; the store must be up when it begins.
func (b *brittle) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	l, _ := store.As[store.Lister](b.Store)
	return func(yield func(store.Record, error) bool) {
		b.lists.Add(1)
		if f := b.onList.Swap(nil); f != nil {
			(*f)()
		}
		err := b.check()
		if b.listsDown.Load() {
			err = errDown
		}
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		for rec, err := range l.List(ctx, owner) {
			b.read.Add(1)
			if !yield(rec, err) {
				return
			}
		}
	}
}

// deleteSilently ends the session of a cookie as another node would.
func (b *brittle) deleteSilently(t *testing.T, cookie string) {
	t.Helper()
	raw, err := url.PathUnescape(cookie)
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(raw, "s:"), ".")
	key := session.RecordID("sid", id)
	if _, err := b.Store.Load(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := b.Store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// buffer is a log that several goroutines may write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
