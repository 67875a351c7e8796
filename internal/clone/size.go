package clone

import (
	"reflect"
	"slices"
)

// sizer counts the bytes that a value refers to, besides its own. It is nil for a type that
// refers to none. left is how many values more are looked at: a decoder can make a circle.
// It is passed on and comes back, because a pointer to it would be an allocation.
type sizer func(v reflect.Value, left int) (bytes, leftAfter int)

// Size returns about how many bytes of memory v takes. text is how long its encoding is, which
// bounds how many parts it has.
func (c *Copier) Size(v reflect.Value, text int) int {
	own := int(v.Type().Size())
	if c.refers == nil {
		return own
	}
	n, _ := c.refers(v, 64+text)
	return own + n
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
		return func(v reflect.Value, left int) (int, int) { return block(v.Len()), left }
	case reflect.Interface:
		return sizeAny
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array, reflect.Struct:
	default:
		return nil
	}
	if known := seen[t]; known != nil {
		return func(v reflect.Value, left int) (int, int) { return (*known)(v, left) }
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
	none := func(_ reflect.Value, left int) (int, int) { return 0, left }
	switch t.Kind() {
	case reflect.Pointer:
		elem := compileSize(t.Elem(), seen)
		size := block(int(t.Elem().Size()))
		if elem == nil {
			elem = none
		}
		return func(v reflect.Value, left int) (int, int) {
			if left--; v.IsNil() || left < 0 {
				return 0, left
			}
			n, left := elem(v.Elem(), left)
			return size + n, left
		}
	case reflect.Slice:
		elem, size := compileSize(t.Elem(), seen), int(t.Elem().Size())
		return func(v reflect.Value, left int) (int, int) {
			n, more := block(v.Cap()*size), 0
			for i := 0; elem != nil && i < v.Len() && left >= 0; i++ {
				more, left = elem(v.Index(i), left-1)
				n += more
			}
			return n, left
		}
	case reflect.Array:
		elem := compileSize(t.Elem(), seen)
		if elem == nil {
			return nil
		}
		return func(v reflect.Value, left int) (int, int) {
			n, more := 0, 0
			for i := range v.Len() {
				more, left = elem(v.Index(i), left)
				n += more
			}
			return n, left
		}
	case reflect.Map:
		key, elem := compileSize(t.Key(), seen), compileSize(t.Elem(), seen)
		size := int(t.Key().Size() + t.Elem().Size())
		return func(v reflect.Value, left int) (int, int) {
			if v.IsNil() {
				return 0, left
			}
			n, more := mapBlock(v.Len(), size), 0
			if key == nil && elem == nil {
				return n, left
			}
			for it := v.MapRange(); it.Next() && left >= 0; left-- {
				if key != nil {
					more, left = key(it.Key(), left)
					n += more
				}
				if elem != nil {
					more, left = elem(it.Value(), left)
					n += more
				}
			}
			return n, left
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
	return func(v reflect.Value, left int) (int, int) {
		n, more := 0, 0
		for i, field := range fields {
			if field != nil {
				more, left = field(v.Field(i), left)
				n += more
			}
		}
		return n, left
	}
}

// sizeAny counts what decoding JSON into an interface gives.
func sizeAny(v reflect.Value, left int) (int, int) {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if left--; !v.IsValid() || left < 0 {
		return 0, left
	}
	n, more := block(int(v.Type().Size())), 0
	switch v.Kind() {
	case reflect.Bool:
		return 0, left
	case reflect.String:
		n += block(v.Len())
	case reflect.Slice:
		n += block(v.Cap() * int(v.Type().Elem().Size()))
		for i := range v.Len() {
			more, left = sizeAny(v.Index(i), left)
			n += more
		}
	case reflect.Map:
		n += mapBlock(v.Len(), int(v.Type().Key().Size()+v.Type().Elem().Size()))
		for it := v.MapRange(); it.Next(); {
			more, left = sizeAny(it.Key(), left)
			n += more
			more, left = sizeAny(it.Value(), left)
			n += more
		}
	}
	return n, left
}
