package redisstore_test

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

// framed writes the owner in front of the document, as package session writes it
// into the document. The kit's documents say nothing of their owners, and in
// connect-redis's layout there is no other place for it.
type framed struct{ *redisstore.Store }

func frame(r store.Record) store.Record {
	r.Data = fmt.Appendf(nil, "%d:%s%s", len(r.Owner), r.Owner, r.Data)
	return r
}

func unframe(r store.Record) store.Record {
	_, rest, _ := strings.Cut(string(r.Data), ":")
	r.Data = []byte(rest[len(r.Owner):])
	return r
}

func (f framed) Load(ctx context.Context, id string) (store.Record, error) {
	r, err := f.Store.Load(ctx, id)
	if err == nil {
		r = unframe(r)
	}
	return r, err
}

func (f framed) Create(ctx context.Context, r store.Record) (store.Version, error) {
	return f.Store.Create(ctx, frame(r))
}

func (f framed) Update(ctx context.Context, r store.Record) (store.Version, error) {
	return f.Store.Update(ctx, frame(r))
}

func (f framed) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for r, err := range f.Store.List(ctx, owner) {
			if err == nil {
				r = unframe(r)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
