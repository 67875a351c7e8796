package records_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/records"
	"github.com/nestsession/session/store"
)

// replica lists what was stored before the last create, for so many listings.
type replica struct {
	store.Store
	lags int
	last string
}

func (s *replica) Create(ctx context.Context, r store.Record) (store.Version, error) {
	s.last = r.ID
	return s.Store.Create(ctx, r)
}

func (s *replica) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	lags := s.lags > 0 && s.last != ""
	if lags {
		s.lags--
	}
	return func(yield func(store.Record, error) bool) {
		for r, err := range s.Store.(store.Lister).List(ctx, owner) {
			if lags && r.ID == s.last {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// loginFresh logs a visitor without a session in, under the id.
func (tab *table) loginFresh(t *testing.T, id string) error {
	t.Helper()
	mv := &records.Move{
		ID: id, Key: tab.IDs.Key(id), Login: true, Carry: true, Alone: true, Owner: "user:1", Now: tab.Present(), Cookie: cookieMember,
	}
	at, err := tab.LoginTime(t.Context(), mv, tab.Present())
	if err != nil {
		return err
	}
	err = tab.Move(t.Context(), mv, tab.compose(t, id, mv.Owner, document.Meta{Created: at, Authenticated: at}))
	if err != nil {
		err = tab.Retries(t.Context(), mv, 0, err)
	}
	return err
}

// A login waits until the store lists its record. If the store does not, the login fails and
// leaves nothing.
func TestALimitNeedsAListingOfWhatWasStored(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		for _, lags := range []int{0, 3, 1000} {
			s := &replica{lags: lags}
			tab := setup(t, true, func(memory store.Store) store.Store { s.Store = memory; return s })
			tab.Limit = records.Limit{Sessions: 1, Refuse: refuse}
			err := tab.loginFresh(t, "new")
			if (err != nil) != (lags == 1000) || err != nil && !strings.Contains(err.Error(), "replica") {
				t.Errorf("refuse %v, %d listings lag: %v", refuse, lags, err)
			}
			if failure := (*records.Failure)(nil); err != nil && !errors.As(err, &failure) {
				t.Errorf("the error is no failure of the store: %v", err)
			}
			_, err = tab.Store.Load(t.Context(), tab.IDs.Key("new"))
			if errors.Is(err, store.ErrNotFound) != (lags == 1000) {
				t.Errorf("refuse %v, %d listings lag: the record: %v", refuse, lags, err)
			}
		}
	}
}

// What cannot be decoded counts by its bookkeeping: another version of the application may
// read it.
func TestALimitCountsWhatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	tab := setup(t, true, nil)
	ctx := t.Context()
	tab.Limit = records.Limit{Sessions: 2}
	for _, id := range []string{"first", "second"} {
		if err := tab.loginFresh(t, id); err != nil {
			t.Fatal(err)
		}
	}
	rec, err := tab.Store.Load(ctx, tab.IDs.Key("second"))
	if err != nil {
		t.Fatal(err)
	}
	rec.Data = []byte(strings.Replace(string(rec.Data), `"cart":3`, `"cart":"three"`, 1))
	if _, err := tab.Store.Update(ctx, rec); err != nil {
		t.Fatal(err)
	}
	if err := tab.loginFresh(t, "third"); err != nil {
		t.Fatal(err)
	}
	live := 0
	for l, err := range tab.List(ctx, "user:1") {
		if err != nil {
			t.Fatal(err)
		}
		if live++; l.Key == tab.IDs.Key("first") {
			t.Error("the oldest session lives")
		}
	}
	if live != 2 {
		t.Errorf("%d sessions live", live)
	}
	tab.Limit.Refuse = true
	if err := tab.loginFresh(t, "fourth"); !errors.Is(err, records.ErrTooManySessions) {
		t.Errorf("a login at the limit: %v", err)
	}
}
