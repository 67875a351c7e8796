package storetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/nestsession/session/store"
)

// oddIDs are equal or similar for a store that folds case, normalizes, trims or cuts ids, quotes
// them wrongly, or takes an id for a pattern.
var oddIDs = []string{
	"a", "A", "ab", "a ", " a", "a\t", "a\n", "\uff41", "\u00e1", "a\u0301", "ß", "ss", "ı", "i", "İ",
	"%", "_", "*", "?", "a%", "a_", "a*", "[a]", "{a}", "a:b", "a::b", ":", "a/b", "a/../b", `a\b`, `a\\b`,
	"'", "''", `"`, "`", "';--", "$1", "?1", ":id", "\\", "null", "NULL", "0", "00", "-1", "1e3", "1000",
	"会话", "세션", "🍪", "🍪🍪", "a\u200d", "\u202ea", "%61", "a%00", "a+b", "a b",
}

var idCases = []testCase{
	rule("ByteForByte", "a Store must compare ids byte for byte",
		func(ctx context.Context, e *env) error {
			return e.keepApart(ctx, oddIDs)
		}),

	rule("Prefix", "a Store must distinguish ids of which one is a prefix of the other, up to 128 bytes",
		func(ctx context.Context, e *env) error {
			var ids []string
			for _, n := range []int{1, 2, 31, 32, 33, 63, 64, 65, 127, 128} {
				ids = append(ids, strings.Repeat("x", n))
			}
			return e.keepApart(ctx, ids)
		}),

	rule("Long", "a Store must distinguish ids of a kilobyte that differ at the end",
		func(ctx context.Context, e *env) error {
			kilo := strings.Repeat("long-id.", 128)
			return e.keepApart(ctx, []string{kilo + "1", kilo + "2", kilo})
		}).only(LongIDs),
}

// keepApart calls every method with each id and checks the other ids.
func (e *env) keepApart(ctx context.Context, ids []string) error {
	records := map[string]store.Record{}
	for i, id := range ids {
		r, err := create(ctx, e.Store, store.Record{ID: id, Data: doc(i), Expires: e.hours()})
		if err != nil {
			return fmt.Errorf("id %q: %w", id, err)
		}
		records[id] = r
	}
	for i, id := range ids {
		r := records[id]
		if err := e.holds(ctx, e.Store, r); err != nil {
			return fmt.Errorf("id %q: %w", id, err)
		}
		r.Data = doc("updated", i)
		var err error
		if r.Version, err = e.Store.Update(ctx, r); err != nil {
			return fmt.Errorf("id %q: Update: %w", id, err)
		}
		r.Version, r.Expires = 0, r.Expires.Add(e.life)
		if err := e.Store.Touch(ctx, id, r.Expires); err != nil {
			return fmt.Errorf("id %q: Touch: %w", id, err)
		}
		records[id] = r
	}
	for i, id := range ids {
		if err := e.holds(ctx, e.Store, records[id]); err != nil {
			return fmt.Errorf("id %q: %w", id, err)
		}
		if err := e.Store.Delete(ctx, id); err != nil {
			return fmt.Errorf("id %q: Delete: %w", id, err)
		}
		if err := gone(ctx, e.Store, id); err != nil {
			return fmt.Errorf("id %q after Delete: %w", id, err)
		}
		if i+1 < len(ids) {
			if err := e.holds(ctx, e.Store, records[ids[i+1]]); err != nil {
				return fmt.Errorf("id %q after Delete of %q: %w", ids[i+1], id, err)
			}
		}
	}
	return nil
}
