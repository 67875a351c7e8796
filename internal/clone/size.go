package clone

import (
	"reflect"
	"slices"
)

// sizer counts the bytes that a value refers to, besides its own. It is nil for a type that
// refers to none. left is how many values more are looked at: a decoder can make a circle.
type sizer func(v reflect.Value, left *int) int

// Size returns about how many bytes of memory v takes. text is how long its encoding is, which
// bounds how many parts it has.
func (c *Copier) Size(v reflect.Value, text int) int {
	own := int(v.Type().Size())
	if c.refers == nil {
		return own
	}
	left := 64 + text
	return own + c.refers(v, &left)
}

// block is about what the allocator takes for n bytes.
func block(n int) int {
	switch {
	case n <= 32:
		return (n + 7) &^ 7
	case n <= 1024:
		return (n + 15) &^ 15
	}
	return n + n/8
}

// mapBlock is about what a map takes for n keys and elements of a size.
func mapBlock(n, size int) int {
	const head, group = 48, 8
	if n == 0 {
		return head
	}
	if n <= group {
		return head + block(group+group*size)
	}
	return head + block(n*8/7*3/2*(size+1))
}

func compileSize(t reflect.Type, seen map[reflect.Type]*sizer) sizer {
	if slices.Contains(immutable, t) {
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		return func(v reflect.Value, _ *int) int { return block(v.Len()) }
	case reflect.Interface:
		return sizeAny
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array, reflect.Struct:
	default:
		return nil
	}
	if known := seen[t]; known != nil {
		return func(v reflect.Value, left *int) int { return (*known)(v, left) }
	}
	self := new(sizer)
	seen[t] = self
	*self = compileSizeOf(t, seen)
	if *self == nil {
		delete(seen, t)
	}
	return *self
}

func compileSizeOf(t reflect.Type, seen map[reflect.Type]*sizer) sizer {
	none := func(reflect.Value, *int) int { return 0 }
	switch t.Kind() {
	case reflect.Pointer:
		elem := compileSize(t.Elem(), seen)
		size := block(int(t.Elem().Size()))
		if elem == nil {
			elem = none
		}
		return func(v reflect.Value, left *int) int {
			if *left--; v.IsNil() || *left < 0 {
				return 0
			}
			return size + elem(v.Elem(), left)
		}
	case reflect.Slice:
		elem, size := compileSize(t.Elem(), seen), int(t.Elem().Size())
		return func(v reflect.Value, left *int) int {
			n := block(v.Cap() * size)
			for i := 0; elem != nil && i < v.Len() && *left >= 0; i++ {
				*left--
				n += elem(v.Index(i), left)
			}
			return n
		}
	case reflect.Array:
		elem := compileSize(t.Elem(), seen)
		if elem == nil {
			return nil
		}
		return func(v reflect.Value, left *int) (n int) {
			for i := range v.Len() {
				n += elem(v.Index(i), left)
			}
			return n
		}
	case reflect.Map:
		key, elem := compileSize(t.Key(), seen), compileSize(t.Elem(), seen)
		size := int(t.Key().Size() + t.Elem().Size())
		return func(v reflect.Value, left *int) int {
			if v.IsNil() {
				return 0
			}
			n := mapBlock(v.Len(), size)
			if key == nil && elem == nil {
				return n
			}
			for it := v.MapRange(); it.Next() && *left >= 0; *left-- {
				if key != nil {
					n += key(it.Key(), left)
				}
				if elem != nil {
					n += elem(it.Value(), left)
				}
			}
			return n
		}
	}
	fields := make([]sizer, t.NumField())
	refers := false
	for i := range fields {
		fields[i] = compileSize(t.Field(i).Type, seen)
		refers = refers || fields[i] != nil
	}
	if !refers {
		return nil
	}
	return func(v reflect.Value, left *int) (n int) {
		for i, field := range fields {
			if field != nil {
				n += field(v.Field(i), left)
			}
		}
		return n
	}
}

// sizeAny counts what decoding JSON into an interface gives.
func sizeAny(v reflect.Value, left *int) int {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if *left--; !v.IsValid() || *left < 0 {
		return 0
	}
	n := block(int(v.Type().Size()))
	switch v.Kind() {
	case reflect.Bool:
		return 0
	case reflect.String:
		n += block(v.Len())
	case reflect.Slice:
		n += block(v.Cap() * int(v.Type().Elem().Size()))
		for i := range v.Len() {
			n += sizeAny(v.Index(i), left)
		}
	case reflect.Map:
		n += mapBlock(v.Len(), int(v.Type().Key().Size()+v.Type().Elem().Size()))
		for it := v.MapRange(); it.Next(); {
			n += sizeAny(it.Key(), left) + sizeAny(it.Value(), left)
		}
	}
	return n
}
