package records_test

import (
	"errors"
	"testing"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// wrapped is a store that is no [store.SinceLoader].
type wrapped struct{ store.Store }

// A document is decoded once for each version, with a store that leaves out the data of a
// version that is known and with one that does not; and what is newer is always found.
func TestADocumentIsDecodedOnceForEachVersion(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(store.Store) store.Store{
		"by version": nil,
		"by text":    func(s store.Store) store.Store { return wrapped{s} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, ctx := setup(t, true, wrap), t.Context()
			key := tab.IDs.Key("old")
			tab.begin(t)
			first, err := tab.Load(ctx, key, document.Opener{ID: "old"})
			if err != nil {
				t.Fatal(err)
			}
			again, err := tab.Load(ctx, key, document.Opener{ID: "old"})
			if err != nil || again.Doc != first.Doc || again.Rec.Version != first.Rec.Version {
				t.Errorf("a second load decodes again (%v)", err)
			}
			if left := again.Rec.Data == nil; left != (wrap == nil) {
				t.Errorf("the second load returned %d bytes", len(again.Rec.Data))
			}
			next := tab.compose(t, "old", "user:2", document.Meta{})
			next.Version = again.Rec.Version
			if next.Version, err = tab.Store.Update(ctx, next); err != nil {
				t.Fatal(err)
			}
			newer, err := tab.Load(ctx, key, document.Opener{ID: "old"})
			if err != nil || newer.Doc == first.Doc || newer.Doc.Bookkeeping().Owner != "user:2" {
				t.Errorf("after an update elsewhere: %+v, %v", newer.Doc, err)
			}
			if err := tab.Store.Delete(ctx, key); err != nil {
				t.Fatal(err)
			}
			if _, err := tab.Load(ctx, key, document.Opener{ID: "old"}); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("after a delete elsewhere: %v", err)
			}
		})
	}
}
