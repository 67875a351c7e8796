package session

import (
	"bytes"
	"encoding/json"
	"math"
)

// maxExact is 2^53: up to there a float64 holds every integer.
const maxExact = 1 << 53

// copyJSON copies what decoding JSON into an interface gives. A number becomes a
// float64 if that holds it, and stays a json.Number otherwise, so that integers
// above 2^53 survive. It refuses what decoding never gives.
func copyJSON(value any) (any, bool) { return copyNested(value, maxNesting) }

// maxNesting is how deep encoding/json decodes. What is deeper may be a circle.
const maxNesting = 10_000

func copyNested(value any, room int) (any, bool) {
	if room == 0 {
		return nil, false
	}
	switch v := value.(type) {
	case nil, bool, string:
		return v, true
	case float64:
		return v, math.Abs(v) < maxExact
	case json.Number:
		f, err := v.Float64()
		if err != nil || math.Abs(f) >= maxExact {
			return v, true
		}
		return f, true
	case map[string]any:
		if v == nil {
			return nil, false
		}
		m := make(map[string]any, len(v))
		for key, e := range v {
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

// decodeAny reads a JSON value as the data of a map session have it.
func decodeAny(text []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil
	}
	v, _ = copyJSON(v)
	return v
}
