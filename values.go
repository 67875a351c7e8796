package session

import (
	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/jsontext"
)

// Value returns the value of a key as a V, for a session whose data are a map. It reads
// values that were put in as a V, and values that JSON can convert to V. It returns false
// if the key is missing or its value does not fit V.
func Value[V any](s *Session[map[string]any], key string) (V, bool) {
	if raw, ok := s.Data()[key]; ok {
		return clone.Convert[V](raw)
	}
	var none V
	return none, false
}

// Put sets a key, for a session whose data are a map. The value is stored as JSON. If JSON
// cannot represent it, the save fails.
func Put(s *Session[map[string]any], key string, value any) {
	text, err := clone.Encode(value)
	s.Update(func(data *map[string]any) {
		if err != nil {
			(*data)[key] = value // the save returns the error
			return
		}
		(*data)[key] = jsontext.DecodeAny(text)
	})
}

// Delete removes a key, for a session whose data are a map.
func Delete(s *Session[map[string]any], key string) {
	s.Update(func(data *map[string]any) { delete(*data, key) })
}
