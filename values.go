package session

import (
	"encoding/json"
	"reflect"

	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/jsontext"
)

// Value returns the value of a key as a V, for a session whose data are a map. It reads
// values that were put in as a V, and values that JSON can convert to V. It returns false
// if the key is missing or its value does not fit V.
func Value[V any](s *Session[map[string]any], key string) (V, bool) {
	var v V
	raw, ok := s.Data()[key]
	if !ok {
		return v, false
	}
	if same, ok := raw.(V); ok && !shares(reflect.TypeFor[V]()) {
		return same, true
	}
	text, err := json.Marshal(raw)
	if err != nil || json.Unmarshal(text, &v) != nil {
		var none V
		return none, false
	}
	return v, true
}

// shares reports whether a caller that reads a value of the type could modify the original.
func shares(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface, reflect.Struct, reflect.Array:
		return true
	}
	return false
}

// Put sets a key, for a session whose data are a map. The value is stored as JSON. If JSON
// cannot represent it, the save fails.
func Put(s *Session[map[string]any], key string, value any) {
	text, err := json.Marshal(value)
	if err == nil {
		err = clone.CheckValue(value).Err()
	}
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
