package differ

import (
	"maps"
	"reflect"
	"slices"

	"github.com/nestsession/session/express"
	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

// The rules about records that a request may have read, and what they allow.

// documents returns the documents that were stored when a step began, or were put there since.
func documents(p *Place) []map[string]any {
	var all []map[string]any
	for _, docs := range p.Before {
		for _, doc := range docs {
			if object, ok := doc.(map[string]any); ok {
				all = append(all, object)
			}
		}
	}
	return append(all, placed(p.Step)...)
}

func placed(s *scenario.Step) (all []map[string]any) {
	for _, op := range slices.Concat(s.Before, s.Handler) {
		switch op.Kind {
		case "storePut":
			all = append(all, op.Doc)
		case "storePatch":
			all = append(all, op.Set)
		case "nested":
			all = append(all, placed(op.Step)...)
		}
	}
	return all
}

// oddLifetime reports whether a record's cookie has a lifetime that express-session reads but does
// not write: a date that is a number, or a maxAge.
func oddLifetime(p *Place) bool {
	return slices.ContainsFunc(documents(p), func(doc map[string]any) bool {
		cookie, _ := doc["cookie"].(map[string]any)
		_, number := cookie["expires"].(float64)
		_, maxAge := cookie["maxAge"]
		return number || maxAge
	})
}

// lifetimeUnseen allows that a handler does not see such a lifetime, and that no cookie is sent
// again for it.
func lifetimeUnseen(_ *Place, d *compare.Difference) bool {
	switch d.Field {
	case compare.Values:
		return d.Op == "cookie"
	case compare.Cookies:
		missing, extra := cookies(d)
		return len(extra) == 0 && every(missing, func(c scenario.Cookie) bool { return c.Change == "same" })
	}
	return false
}

// hasReserved reports whether a record has a member that express-session cannot have as data.
func hasReserved(p *Place) bool {
	return slices.ContainsFunc(documents(p), func(doc map[string]any) bool {
		for key := range doc {
			if isReserved(key) {
				return true
			}
		}
		return false
	})
}

// isReserved is for all members except the cookie, which every record has.
func isReserved(key string) bool {
	return key != "cookie" && slices.Contains(express.ReservedKeys(), key)
}

// keysStay allows that a record with such members is touched instead of written, so that they stay
// in it.
func keysStay(p *Place, d *compare.Difference) bool {
	switch d.Field {
	case compare.Calls:
		return unchanged(p, d)
	case compare.Stored:
		want, _ := compare.Document(d.Expected).(map[string]any)
		got, _ := compare.Document(d.Got).(map[string]any)
		got = maps.Clone(got)
		maps.DeleteFunc(got, func(key string, _ any) bool { _, has := want[key]; return !has && isReserved(key) })
		return want != nil && reflect.DeepEqual(want, got)
	}
	return false
}

// repeats reports whether the generator returned an id that is in use.
func repeats(p *Place) bool { return hasOutcome(p.Got, " taken") }
