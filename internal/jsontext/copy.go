package jsontext

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
)

// MaxExact is 2^53: up to there a float64 holds every integer.
const MaxExact = 1 << 53

// CopyJSON copies what decoding JSON into an interface gives. A number becomes a
// float64 if that holds it, and stays a json.Number otherwise, so that integers
// above 2^53 survive. It refuses what decoding never gives.
func CopyJSON(value any) (any, bool) { return copyNested(value, MaxDepth) }

// MaxDepth is how deep encoding/json decodes. What is deeper may be a circle.
const MaxDepth = 10_000

func copyNested(value any, room int) (any, bool) {
	if room == 0 {
		return nil, false
	}
	switch v := value.(type) {
	case nil, bool, string:
		return value, true
	case float64:
		return value, math.Abs(v) < MaxExact
	case json.Number:
		return number(v), true
	case map[string]any:
		if v == nil {
			return nil, false
		}
		m := maps.Clone(v)
		for key, e := range v {
			switch e.(type) {
			case nil, bool, string:
				continue
			}
			c, ok := copyNested(e, room-1)
			if !ok {
				return nil, false
			}
			m[key] = c
		}
		return m, true
	case []any:
		if v == nil {
			return nil, false
		}
		a := make([]any, len(v))
		for i, e := range v {
			var ok bool
			if a[i], ok = copyNested(e, room-1); !ok {
				return nil, false
			}
		}
		return a, true
	}
	return nil, false
}

// number gives a number the type that it has in data of type any.
func number(n json.Number) any {
	f, err := n.Float64()
	if err != nil || math.Abs(f) >= MaxExact {
		return n
	}
	return f
}

// SameAny is reflect.DeepEqual of what decoding JSON into an interface gives, and
// takes two NaN for alike.
func SameAny(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && sameMaps(x, y)
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) || (x == nil) != (y == nil) {
			return false
		}
		for i := range x {
			if !SameAny(x[i], y[i]) {
				return false
			}
		}
		return true
	case float64:
		y, ok := b.(float64)
		return ok && (x == y || x != x && y != y)
	case nil, bool, string, json.Number:
		return a == b
	}
	return reflect.DeepEqual(a, b)
}

func sameMaps(a, b map[string]any) bool {
	if len(a) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	for key, x := range a {
		if y, ok := b[key]; !ok || !SameAny(x, y) {
			return false
		}
	}
	return true
}
