package clone

import (
	"bytes"
	"github.com/nestsession/session/internal/jsontext"
	"reflect"
	"unsafe"
)

// compileEqual makes a comparison of values of a type that a copier can copy:
// reflect.DeepEqual without its bookkeeping for cycles, which decoded values do
// not have, since every request that looks at its session is compared once. Two
// NaN are alike: what counts is whether somebody has changed something.
func compileEqual(t reflect.Type, seen map[reflect.Type]*func(a, b reflect.Value) bool) func(a, b reflect.Value) bool {
	if t == reflect.TypeFor[map[string]any]() || t == reflect.TypeFor[any]() {
		return func(a, b reflect.Value) bool { return jsontext.SameAny(a.Interface(), b.Interface()) }
	}
	switch t.Kind() {
	case reflect.String:
		return func(a, b reflect.Value) bool { return a.String() == b.String() }
	case reflect.Bool:
		return func(a, b reflect.Value) bool { return a.Bool() == b.Bool() }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(a, b reflect.Value) bool { return a.Int() == b.Int() }
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(a, b reflect.Value) bool { return a.Uint() == b.Uint() }
	case reflect.Float32, reflect.Float64:
		return func(a, b reflect.Value) bool {
			x, y := a.Float(), b.Float()
			return x == y || x != x && y != y
		}
	case reflect.Pointer, reflect.Slice, reflect.Struct:
	default: // maps and interfaces, and what is rare
		return func(a, b reflect.Value) bool { return reflect.DeepEqual(a.Interface(), b.Interface()) }
	}
	if hidden(t) {
		return func(a, b reflect.Value) bool { return reflect.DeepEqual(a.Interface(), b.Interface()) }
	}
	if known := seen[t]; known != nil {
		return func(a, b reflect.Value) bool { return (*known)(a, b) }
	}
	var self func(a, b reflect.Value) bool
	seen[t] = &self
	switch t.Kind() {
	case reflect.Pointer:
		self = equalPointers(t.Elem().Size(), compileEqual(t.Elem(), seen))
	case reflect.Slice:
		self = equalSlices(int(t.Elem().Size()), compileEqual(t.Elem(), seen))
	case reflect.Struct:
		fields := make([]func(a, b reflect.Value) bool, t.NumField())
		for i := range fields {
			fields[i] = compileEqual(t.Field(i).Type, seen)
		}
		self = equalStructs(fields)
	}
	return self
}

// hidden reports whether a struct has fields whose values reflection does not show.
func hidden(t reflect.Type) bool { return t.Kind() == reflect.Struct && hidesFields(t) }

// sameMemory reports whether n bytes at a and at b are the same, which is how it is
// with a copy that nobody has changed: its texts lead to the same bytes. Values
// whose memory differs may be alike nevertheless.
func sameMemory(a, b unsafe.Pointer, n int) bool {
	return bytes.Equal(unsafe.Slice((*byte)(a), n), unsafe.Slice((*byte)(b), n))
}

func equalPointers(size uintptr, elem func(a, b reflect.Value) bool) func(a, b reflect.Value) bool {
	return func(a, b reflect.Value) bool {
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return sameMemory(a.UnsafePointer(), b.UnsafePointer(), int(size)) || elem(a.Elem(), b.Elem())
	}
}

func equalSlices(size int, elem func(a, b reflect.Value) bool) func(a, b reflect.Value) bool {
	return func(a, b reflect.Value) bool {
		n := a.Len()
		if n != b.Len() || a.IsNil() != b.IsNil() {
			return false
		}
		if n == 0 || sameMemory(a.UnsafePointer(), b.UnsafePointer(), n*size) {
			return true
		}
		for i := range n {
			if !elem(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	}
}

func equalStructs(fields []func(a, b reflect.Value) bool) func(a, b reflect.Value) bool {
	return func(a, b reflect.Value) bool {
		for i, same := range fields {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
}
