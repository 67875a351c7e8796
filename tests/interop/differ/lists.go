package differ

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

// change returns what occurs in only one of two lists, by the shortest edit.
func change[T any](want, got []T, same func(a, b T) bool) (missing, extra []T) {
	common := make([][]int, len(want)+1) // of the parts of the lists from i and from j on
	for i := range common {
		common[i] = make([]int, len(got)+1)
	}
	for i := len(want) - 1; i >= 0; i-- {
		for j := len(got) - 1; j >= 0; j-- {
			if common[i][j] = max(common[i+1][j], common[i][j+1]); same(want[i], got[j]) {
				common[i][j] = max(common[i][j], common[i+1][j+1]+1)
			}
		}
	}
	i, j := 0, 0
	for i < len(want) && j < len(got) {
		switch {
		case same(want[i], got[j]) && common[i][j] == common[i+1][j+1]+1:
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			missing = append(missing, want[i])
			i++
		default:
			extra = append(extra, got[j])
			j++
		}
	}
	return append(missing, want[i:]...), append(extra, got[j:]...)
}

// calls returns the calls in which a difference of calls differs, as "main:set S1".
func calls(d *compare.Difference) (missing, extra []string) {
	return change(d.WantCalls, d.GotCalls, func(a, b string) bool { return a == b })
}

// cookies returns the Set-Cookie lines in which a difference of cookies differs.
func cookies(d *compare.Difference) (missing, extra []scenario.Cookie) {
	want, _ := d.Expected.([]scenario.Cookie)
	got, _ := d.Got.([]scenario.Cookie)
	return change(want, got, func(a, b scenario.Cookie) bool { return reflect.DeepEqual(a.Shown(), b.Shown()) })
}

// every reports whether a list is not empty and f holds for all of it.
func every[T any](list []T, is func(T) bool) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(v T) bool { return !is(v) })
}

// all is every, but true for an empty list.
func all[T any](list []T, is func(T) bool) bool { return len(list) == 0 || every(list, is) }

// of returns the id in a session's cookie, or "".
func of(c scenario.Cookie) string {
	if c.ID == nil {
		return ""
	}
	return *c.ID
}

// idIn returns the id in a call of this kind, or "".
func idIn(call, kind string) string {
	_, rest, _ := strings.Cut(call, ":")
	id, _ := strings.CutPrefix(rest, kind+" ")
	if id == rest {
		return ""
	}
	id, _, _ = strings.Cut(id, " ")
	return id
}

// idOf returns the id in a call of any kind.
func idOf(call string) string {
	_, rest, _ := strings.Cut(call, ":")
	kind, _, _ := strings.Cut(rest, " ")
	return idIn(call, kind)
}

// sends reports whether a session's cookie is sent in a step, or in a nested request.
func sends(r *scenario.Result, id string) bool {
	return slices.ContainsFunc(r.Cookies, func(c scenario.Cookie) bool { return of(c) == id }) ||
		slices.ContainsFunc(r.Values, func(v scenario.Value) bool { return v.Result != nil && sends(v.Result, id) })
}

// has reports whether a call was made in a step, or in a nested request.
func has(r *scenario.Result, call string) bool {
	return hasCall(r, func(c string) bool { return c == call })
}

func hasCall(r *scenario.Result, is func(call string) bool) bool {
	return slices.ContainsFunc(r.Calls, is) || slices.ContainsFunc(r.Values, func(v scenario.Value) bool {
		return v.Result != nil && hasCall(v.Result, is)
	})
}

// hasHidden reports whether a call with this outcome was made for an id that no client has seen.
func hasHidden(r *scenario.Result, outcome string) bool {
	return hasCall(r, func(c string) bool { return strings.Contains(c, " U") && strings.HasSuffix(c, outcome) })
}

// hasOutcome reports whether a call with this outcome was made.
func hasOutcome(r *scenario.Result, outcome string) bool {
	return hasCall(r, func(c string) bool { return strings.HasSuffix(c, outcome) })
}

// stored reports whether any of the stores has a record after a step.
func stored(r *scenario.Result, id string) bool {
	for docs := range maps.Values(r.Store) {
		if _, ok := docs[id]; ok {
			return true
		}
	}
	return false
}

// data returns a document without its cookie member.
func data(doc any) any {
	object, _ := doc.(map[string]any)
	out := maps.Clone(object)
	delete(out, "cookie")
	return out
}

// value returns what an operation returned.
func value(v any) scenario.Value {
	out, _ := v.(scenario.Value)
	return out
}
