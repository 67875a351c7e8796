package storetest

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/nestsession/session/store"
)

// many is more than a usual page of an iterator.
const many = 300

var listCases = []testCase{
	rule("All", "a Store must list each live record once, whoever its owner is",
		func(ctx context.Context, e *env) error {
			want := map[string]store.Record{}
			for i := range many {
				r := e.record()
				r.Owner = []string{"", "user:1", "user:2"}[i%3]
				r, err := create(ctx, e.Store, r)
				if err != nil {
					return err
				}
				want[r.ID] = r
			}
			return e.lists(ctx, "", want)
		}).only(Lister),

	rule("Owner", "a Store must list all records of an owner, and no others",
		func(ctx context.Context, e *env) error {
			want := map[string]store.Record{}
			for i := range many {
				r := e.record()
				r.Owner = []string{"", "user:1", "user:2"}[i%3]
				r, err := create(ctx, e.Store, r)
				if err != nil {
					return err
				}
				if r.Owner == "user:1" {
					want[r.ID] = r
				}
			}
			return first(
				e.lists(ctx, "user:1", want),
				e.lists(ctx, "user:3", nil))
		}).only(Lister),

	rule("OddOwners", "a Store must compare owners byte for byte",
		func(ctx context.Context, e *env) error {
			owned := map[string]map[string]store.Record{}
			for _, owner := range oddIDs {
				r := e.record()
				r.Owner = owner
				r, err := create(ctx, e.Store, r)
				if err != nil {
					return fmt.Errorf("owner %q: %w", owner, err)
				}
				owned[owner] = map[string]store.Record{r.ID: r}
			}
			for owner, want := range owned {
				if err := e.lists(ctx, owner, want); err != nil {
					return err
				}
			}
			return nil
		}).only(Lister),

	rule("ChangedOwner", "a Store must list a record under the owner that Update gave it, and no longer under the old one",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			for _, owner := range []string{"user:43", "", "user:42"} {
				former := r.Owner
				r.Owner = owner
				if r.Version, err = e.Store.Update(ctx, r); err != nil {
					return fmt.Errorf("Update: %w", err)
				}
				if former != "" {
					if err := e.lists(ctx, former, nil); err != nil {
						return err
					}
				}
				if err := e.lists(ctx, owner, map[string]store.Record{r.ID: r}); err != nil {
					return err
				}
			}
			return nil
		}).only(Lister),

	rule("Ended", "a Store must list neither deleted nor expired records",
		func(ctx context.Context, e *env) error {
			kept, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			if _, err := e.deleted(ctx); err != nil {
				return err
			}
			if _, err := e.expired(ctx); err != nil {
				return err
			}
			want := map[string]store.Record{kept.ID: kept}
			return first(e.lists(ctx, "", want), e.lists(ctx, kept.Owner, want))
		}).only(Lister),

	rule("BreakOff", "a Store must allow a loop over List to stop early, and keep working",
		func(ctx context.Context, e *env) error {
			want, err := e.createMany(ctx)
			if err != nil {
				return err
			}
			for _, stop := range []int{1, 2, many / 2} {
				n := 0
				for range e.list(ctx, "") {
					if n++; n == stop {
						break
					}
				}
				if n != stop {
					return fmt.Errorf("List yielded %d records, want %d at least", n, stop)
				}
			}
			return first(
				expect("Delete after a loop that stopped early", e.Store.Delete(ctx, "none"), nil),
				e.lists(ctx, "", want))
		}).only(Lister),

	rule("BodyCallsStore", "a Store must allow the body of a loop over List to call it, and list each record that lives throughout once",
		func(ctx context.Context, e *env) error {
			records, err := e.createMany(ctx)
			if err != nil {
				return err
			}
			seen := map[string]int{}
			for r, err := range e.list(ctx, "user:42") {
				if err != nil {
					return fmt.Errorf("List: %w", err)
				}
				seen[r.ID]++
				if _, err := e.Store.Load(ctx, r.ID); err != nil {
					return fmt.Errorf("Load in the body: %w", err)
				}
				r.Data = doc("listed")
				if _, err := e.Store.Update(ctx, r); err != nil {
					return fmt.Errorf("Update of the listed version in the body: %w", err)
				}
				if err := e.Store.Touch(ctx, r.ID, r.Expires.Add(time.Minute)); err != nil {
					return fmt.Errorf("Touch in the body: %w", err)
				}
				// Other records are created and deleted meanwhile.
				if other, err := create(ctx, e.Store, e.record()); err != nil {
					return fmt.Errorf("in the body: %w", err)
				} else if err := e.Store.Delete(ctx, other.ID); err != nil {
					return fmt.Errorf("Delete in the body: %w", err)
				}
			}
			for id := range records {
				if seen[id] != 1 {
					return fmt.Errorf("List yielded a record that lived throughout %d times", seen[id])
				}
			}
			return nil
		}).only(Lister),

	rule("BodyDeletes", "a Store must allow the body of a loop over List to delete each record, and miss none",
		func(ctx context.Context, e *env) error {
			records, err := e.createMany(ctx)
			if err != nil {
				return err
			}
			n := 0
			for r, err := range e.list(ctx, "user:42") {
				if err != nil {
					return fmt.Errorf("List: %w", err)
				}
				if err := e.Store.Delete(ctx, r.ID); err != nil {
					return fmt.Errorf("Delete in the body: %w", err)
				}
				n++
			}
			if n != len(records) {
				return fmt.Errorf("List yielded %d of %d records", n, len(records))
			}
			return e.lists(ctx, "", nil)
		}).only(Lister),

	rule("EndedContext", "a Store must yield the error of a context that ends, last and with a zero Record",
		func(ctx context.Context, e *env) error {
			if _, err := e.createMany(ctx); err != nil {
				return err
			}
			for name, ended := range endedContexts(ctx) {
				if _, err := e.collect(ended, ""); !isEnd(err, ended) {
					return fmt.Errorf("List with a context that was %s: %v, want %q", name, err, ended.Err())
				}
			}
			ending, cancel := context.WithCancel(ctx)
			defer cancel()
			n := 0
			for r, err := range e.list(ending, "") {
				if err == nil {
					n++
					cancel()
					continue
				}
				if !isEnd(err, ending) || r.ID != "" || r.Data != nil {
					return fmt.Errorf("List whose context ended: record %q and error %v, want none and %q", r.ID, err, ending.Err())
				}
				return nil
			}
			if n != many {
				return fmt.Errorf("List whose context ended stopped without an error after %d of %d records", n, many)
			}
			return nil
		}).only(Lister),
}

func (e *env) list(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	l, _ := store.As[store.Lister](e.Store)
	return l.List(ctx, owner)
}

// createMany keeps many records of user:42.
func (e *env) createMany(ctx context.Context) (map[string]store.Record, error) {
	records := map[string]store.Record{}
	for range many {
		r, err := create(ctx, e.Store, e.record())
		if err != nil {
			return nil, err
		}
		records[r.ID] = r
	}
	return records, nil
}

// collect reads the list to its end.
func (e *env) collect(ctx context.Context, owner string) (records []store.Record, err error) {
	for r, err := range e.list(ctx, owner) {
		if err != nil {
			return records, err
		}
		records = append(records, r)
	}
	return records, nil
}

// lists checks that exactly these records are listed, unchanged and once each.
func (e *env) lists(ctx context.Context, owner string, want map[string]store.Record) error {
	what := fmt.Sprintf("List of owner %q", owner)
	got, err := e.collect(ctx, owner)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	seen := map[string]bool{}
	for _, r := range got {
		w, ok := want[r.ID]
		if !ok || seen[r.ID] {
			return fmt.Errorf("%s: yielded %q, which is not of it or was yielded before", what, r.ID)
		}
		seen[r.ID] = true
		if err := e.same(what, r, w); err != nil {
			return err
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%s: yielded %d records, want %d", what, len(got), len(want))
	}
	return nil
}
