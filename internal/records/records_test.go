package records_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/ids"
	"github.com/nestsession/session/internal/records"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

type visitor struct {
	Cart int `json:"cart"`
}

var cookieMember = []byte(`{"originalMaxAge":null}`)

// table is records in memory with what tests need to write one.
type table struct {
	*records.Records
	codec document.Codec[visitor]
}

// setup returns records that leave tombstones, or links.
func setup(t *testing.T, tombstones bool, wrap func(store.Store) store.Store) *table {
	t.Helper()
	codec, err := document.NewCodec[visitor](nil, !tombstones, document.Cookies{Parse: func([]byte) (any, document.Lifetime, document.Instant, error) {
		return nil, document.Lifetime{}, 0, nil
	}}, document.DefaultCacheBytes)
	if err != nil {
		t.Fatal(err)
	}
	memory := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = memory.Close() })
	tab := &table{codec: codec}
	tab.codec.Seal = document.NewSealer([]string{"only these tests know"}, "", false, !tombstones)
	tab.Records = &records.Records{
		Store: memory, Codec: tab.codec.Untyped(), IDs: &ids.Maker{Seal: tab.codec.Seal}, Now: time.Now, Tombstones: tombstones, Owned: tombstones,
		Grace: time.Minute, MaxRepair: time.Hour, LoadTimeout: time.Minute, SaveTimeout: time.Minute, MaxBytes: 1 << 16,
		Forget:    func(string) {},
		OnRevoked: func(context.Context, string, string, string) {},
		OnFailure: func(_ context.Context, _, _ string, err error) { t.Error(err) },
	}
	if wrap != nil {
		tab.Store = wrap(memory)
	}
	tab.Watch(time.Hour, time.Hour, time.Hour)
	return tab
}

// compose returns the record of a session of the owner, to be stored under the id's key.
func (tab *table) compose(t *testing.T, id, owner string, info document.Meta) store.Record {
	t.Helper()
	v := visitor{Cart: 3}
	body, err := tab.codec.Encode(&v)
	if err != nil {
		t.Fatal(err)
	}
	info.Owner = owner
	doc, err := tab.codec.Compose(tab.codec.Empty, tab.IDs.Key(id), &v, body, cookieMember, nil, document.Lifetime{}, info, document.Opener{})
	if err != nil {
		t.Fatal(err)
	}
	return store.Record{ID: tab.IDs.Key(id), Owner: owner, Data: doc.Data, Expires: time.Now().Add(time.Hour)}
}

// begin stores the session "old".
func (tab *table) begin(t *testing.T) store.Version {
	t.Helper()
	version, err := tab.Store.Create(t.Context(), tab.compose(t, "old", "", document.Meta{}))
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// moveFrom is the move of the session "old" to the id "new", by a login or by Renew.
func (tab *table) moveFrom(t *testing.T, version store.Version, login bool) (*records.Move, store.Record) {
	t.Helper()
	mv := &records.Move{
		ID: "new", Key: tab.IDs.Key("new"), OldID: "old", OldKey: tab.IDs.Key("old"), OldVersion: version,
		Login: login, Carry: login, Now: tab.Present(), Unseen: true, Cookie: cookieMember,
	}
	if login {
		mv.Owner = "user:1"
	}
	return mv, tab.compose(t, "new", mv.Owner, document.Meta{Unseen: !login})
}

func each(t *testing.T, test func(t *testing.T, tab *table)) {
	for name, tombstones := range map[string]bool{"tombstones": true, "links": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, setup(t, tombstones, nil))
		})
	}
}

// The old id of a renewed session leads to the new one, also for the end of the session.
func TestARenewedSessionIsFoundAndEndedByItsOldID(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, tab *table) {
		ctx := t.Context()
		mv, next := tab.moveFrom(t, tab.begin(t), false)
		if err := tab.Move(ctx, mv, next); err != nil {
			t.Fatal(err)
		}
		if found, err := tab.Load(ctx, tab.IDs.Key("old"), document.Opener{ID: "old"}); err != nil || found.Key != tab.IDs.Key("new") || found.ID != "new" {
			t.Fatalf("by the old id: %q, %v", found.ID, err)
		}
		if _, err := tab.Store.Load(ctx, tab.IDs.Key("old")); errors.Is(err, store.ErrNotFound) == tab.Tombstones {
			t.Errorf("under the old key: %v", err)
		}
		if ended, err := tab.Remove(ctx, tab.IDs.Key("old"), 0, records.ErrRevoked); err != nil || !ended {
			t.Fatalf("ended: %v, %v", ended, err)
		}
		for _, id := range []string{"old", "new"} {
			if _, err := tab.Load(ctx, tab.IDs.Key(id), document.Opener{ID: id}); !records.IsOver(err) {
				t.Errorf("after the end, by %q: %v", id, err)
			}
		}
	})
}

// The old id of a login finds nothing and ends nothing. What it has changed goes to the login.
func TestTheSessionOfALoginIsSafeFromTheOldID(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, tab *table) {
		ctx := t.Context()
		mv, next := tab.moveFrom(t, tab.begin(t), true)
		if err := tab.Move(ctx, mv, next); err != nil {
			t.Fatal(err)
		}
		if _, err := tab.Load(ctx, tab.IDs.Key("old"), document.Opener{ID: "old"}); !records.IsOver(err) || records.CarriesOn(err) == nil || records.CarriesOn(err).Successor != tab.IDs.Key("new") {
			t.Errorf("by the old id: %v", err)
		}
		if found, at, _, err := tab.LoadCarried(ctx, tab.IDs.Key("old"), document.Opener{}); err != nil || at != tab.IDs.Key("new") || found.Doc.Bookkeeping().Owner != "user:1" {
			t.Errorf("what the old id carries on to: %q, %v", at, err)
		}
		if ended, err := tab.Remove(ctx, tab.IDs.Key("old"), 0, records.ErrRevoked); err != nil || ended {
			t.Errorf("ended by the old id: %v, %v", ended, err)
		}
		if _, err := tab.Load(ctx, tab.IDs.Key("new"), document.Opener{ID: "new"}); err != nil {
			t.Error(err)
		}
	})
}

// Of several calls that end a session at the same time, one has ended it.
func TestOneOfManyEndsASession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, tab *table) {
		version := tab.begin(t)
		var n atomic.Int64
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				ended, err := tab.Remove(t.Context(), tab.IDs.Key("old"), version, records.ErrRevoked)
				if err != nil {
					t.Error(err)
				}
				if ended {
					n.Add(1)
				}
			})
		}
		if calls.Wait(); n.Load() != 1 {
			t.Errorf("%d calls have ended it", n.Load())
		}
	})
}

// full refuses updates.
type full struct{ store.Store }

func (full) Update(context.Context, store.Record) (store.Version, error) { return 0, store.ErrFull }

// A move that cannot swap the old record leaves no record under the new key.
func TestAMoveThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	tab := setup(t, true, func(s store.Store) store.Store { return full{s} })
	ctx := t.Context()
	mv, next := tab.moveFrom(t, tab.begin(t), false)
	err := tab.Move(ctx, mv, next)
	if !errors.Is(err, store.ErrFull) {
		t.Fatal(err)
	}
	if err := tab.Retries(ctx, mv, 0, err); !errors.Is(err, store.ErrFull) {
		t.Errorf("after the attempt: %v", err)
	}
	if _, err := tab.Store.Load(ctx, tab.IDs.Key("new")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("under the new key: %v", err)
	}
	if _, err := tab.Load(ctx, tab.IDs.Key("old"), document.Opener{ID: "old"}); err != nil {
		t.Errorf("by the old id: %v", err)
	}
}
