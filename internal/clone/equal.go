package clone

import (
	"bytes"
	"github.com/nestsession/session/internal/jsontext"
	"reflect"
	"unsafe"
)

// equaler compares two values of a type, which stand at a and b.
type equaler func(a, b unsafe.Pointer) bool

// compileEqual makes a comparison of values of a type that a copier can copy:
// reflect.DeepEqual without its bookkeeping for cycles, which decoded values do
// not have, since every request that looks at its session is compared once. Two
// NaN are alike: what counts is whether somebody has changed something.
func compileEqual(t reflect.Type, seen map[reflect.Type]*equaler) equaler {
	switch t {
	case reflect.TypeFor[map[string]any]():
		return func(a, b unsafe.Pointer) bool {
			return jsontext.SameAny(*(*map[string]any)(a), *(*map[string]any)(b))
		}
	case reflect.TypeFor[any]():
		return func(a, b unsafe.Pointer) bool { return jsontext.SameAny(*(*any)(a), *(*any)(b)) }
	}
	switch t.Kind() {
	case reflect.String:
		return equalAs[string]
	case reflect.Bool, reflect.Int8, reflect.Uint8:
		return equalAs[uint8]
	case reflect.Int16, reflect.Uint16:
		return equalAs[uint16]
	case reflect.Int32, reflect.Uint32:
		return equalAs[uint32]
	case reflect.Int64, reflect.Uint64:
		return equalAs[uint64]
	case reflect.Int, reflect.Uint, reflect.Uintptr:
		return equalAs[uint]
	case reflect.Float32:
		return equalFloats[float32]
	case reflect.Float64:
		return equalFloats[float64]
	case reflect.Pointer, reflect.Slice, reflect.Struct:
	default: // maps and interfaces, and what is rare
		return deepEqual(t)
	}
	if hidden(t) {
		return deepEqual(t)
	}
	if known := seen[t]; known != nil {
		return func(a, b unsafe.Pointer) bool { return (*known)(a, b) }
	}
	self := new(equaler)
	seen[t] = self
	switch t.Kind() {
	case reflect.Pointer:
		*self = equalPointers(t.Elem().Size(), compileEqual(t.Elem(), seen))
	case reflect.Slice:
		*self = equalSlices(t.Elem().Size(), compileEqual(t.Elem(), seen))
	case reflect.Struct:
		*self = equalStructs(t, seen)
	}
	return *self
}

// hidden reports whether a struct has fields whose values reflection does not show.
func hidden(t reflect.Type) bool { return t.Kind() == reflect.Struct && hidesFields(t) }

func equalAs[V comparable](a, b unsafe.Pointer) bool { return *(*V)(a) == *(*V)(b) }

func equalFloats[F float32 | float64](a, b unsafe.Pointer) bool {
	x, y := *(*F)(a), *(*F)(b)
	return x == y || x != x && y != y
}

func deepEqual(t reflect.Type) equaler {
	return func(a, b unsafe.Pointer) bool {
		return reflect.DeepEqual(reflect.NewAt(t, a).Elem().Interface(), reflect.NewAt(t, b).Elem().Interface())
	}
}

// sameMemory reports whether n bytes at a and at b are the same, which is how it is
// with a copy that nobody has changed: its texts lead to the same bytes. Values
// whose memory differs may be alike nevertheless.
func sameMemory(a, b unsafe.Pointer, n uintptr) bool {
	return bytes.Equal(unsafe.Slice((*byte)(a), n), unsafe.Slice((*byte)(b), n))
}

func equalPointers(size uintptr, elem equaler) equaler {
	return func(a, b unsafe.Pointer) bool {
		a, b = *(*unsafe.Pointer)(a), *(*unsafe.Pointer)(b)
		if a == nil || b == nil {
			return a == b
		}
		return sameMemory(a, b, size) || elem(a, b)
	}
}

// equalSlices reads the slices as slices of bytes: the length counts their elements.
func equalSlices(size uintptr, elem equaler) equaler {
	return func(a, b unsafe.Pointer) bool {
		x, y := *(*[]byte)(a), *(*[]byte)(b)
		if len(x) != len(y) || (x == nil) != (y == nil) {
			return false
		}
		n := uintptr(len(x))
		a, b = unsafe.Pointer(unsafe.SliceData(x)), unsafe.Pointer(unsafe.SliceData(y))
		if n == 0 || sameMemory(a, b, n*size) {
			return true
		}
		for i := range n {
			if !elem(unsafe.Add(a, i*size), unsafe.Add(b, i*size)) {
				return false
			}
		}
		return true
	}
}

func equalStructs(t reflect.Type, seen map[reflect.Type]*equaler) equaler {
	type field struct {
		offset uintptr
		same   equaler
	}
	fields := make([]field, t.NumField())
	for i := range fields {
		fields[i] = field{t.Field(i).Offset, compileEqual(t.Field(i).Type, seen)}
	}
	return func(a, b unsafe.Pointer) bool {
		for _, f := range fields {
			if !f.same(unsafe.Add(a, f.offset), unsafe.Add(b, f.offset)) {
				return false
			}
		}
		return true
	}
}
