package sqlstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// ownerOf reads the owner from where package session writes it.
func ownerOf(document []byte) string {
	var d struct {
		Meta struct {
			Owner string `json:"owner"`
		} `json:"__nestsession"`
	}
	if json.Unmarshal(document, &d) != nil {
		return ""
	}
	return d.Meta.Owner
}

// ownerInDocument is a store in front of another that writes the owner into the
// document, as package session does, and takes it out again.
type ownerInDocument struct{ *sqlstore.Store }

func inDocument(s store.Store) store.Store { return ownerInDocument{s.(*sqlstore.Store)} }

func wrap(r store.Record) store.Record {
	owner, _ := json.Marshal(r.Owner)
	r.Data = bytes.Join([][]byte{[]byte(`{"__nestsession":{"owner":`), owner, []byte(`},"document":`), r.Data, []byte("}")}, nil)
	return r
}

func unwrap(r store.Record) store.Record {
	if _, data, ok := bytes.Cut(r.Data, []byte(`},"document":`)); ok {
		r.Data = data[:len(data)-1]
	}
	return r
}

func (s ownerInDocument) Load(ctx context.Context, id string) (store.Record, error) {
	r, err := s.Store.Load(ctx, id)
	return unwrap(r), err
}

func (s ownerInDocument) Create(ctx context.Context, r store.Record) (store.Version, error) {
	return s.Store.Create(ctx, wrap(r))
}

func (s ownerInDocument) Update(ctx context.Context, r store.Record) (store.Version, error) {
	return s.Store.Update(ctx, wrap(r))
}

func (s ownerInDocument) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for r, err := range s.Store.List(ctx, owner) {
			if !yield(unwrap(r), err) {
				return
			}
		}
	}
}
