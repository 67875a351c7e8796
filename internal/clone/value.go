package clone

import (
	"encoding/json"
	"reflect"
)

// Encode returns the JSON of a value that is put in under a key, and an error if the value
// would come back as another one.
func Encode(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err == nil {
		err = CheckValue(value).Err()
	}
	return text, err
}

// Convert returns a value that was read under a key as a V: if it is one, or if JSON
// converts it to one. The result shares nothing with the value.
func Convert[V any](raw any) (V, bool) {
	var v, none V
	if same, ok := raw.(V); ok && !shares(reflect.TypeFor[V]()) {
		return same, true
	}
	text, err := json.Marshal(raw)
	if err != nil || json.Unmarshal(text, &v) != nil {
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
