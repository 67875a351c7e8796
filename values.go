package session

import (
	"encoding/json"
	"reflect"

	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/jsontext"
)

// Value reads a key of a session whose data are a map, as a V: what was put there
// as a V, and what JSON made of it. It is false if there is no such key, or it is
// something else.
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

// shares reports whether a value of the type could be changed by who reads it.
func shares(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface, reflect.Struct, reflect.Array:
		return true
	}
	return false
}

// Put sets a key of a session whose data are a map. The value is stored as JSON; one
// that JSON has no form for fails the save.
func Put(s *Session[map[string]any], key string, value any) {
	text, err := json.Marshal(value)
	if err == nil {
		err = clone.CheckValue(value).Err()
	}
	s.Update(func(data *map[string]any) {
		if err != nil {
			(*data)[key] = value // the save says what is wrong with it
			return
		}
		(*data)[key] = jsontext.DecodeAny(text)
	})
}

// Delete removes a key of a session whose data are a map.
func Delete(s *Session[map[string]any], key string) {
	s.Update(func(data *map[string]any) { delete(*data, key) })
}
