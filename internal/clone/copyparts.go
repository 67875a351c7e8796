package clone

import (
	"github.com/nestsession/session/internal/jsontext"
	"reflect"
	"slices"
	"time"
)

func fixPointer(t reflect.Type, fix func(reflect.Value) bool) func(reflect.Value) bool {
	elem := t.Elem()
	null := slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice}, elem.Kind())
	return func(v reflect.Value) bool {
		if v.IsNil() {
			return true
		}
		if null && v.Elem().IsNil() {
			return false // would come back nil itself
		}
		p := reflect.New(elem)
		p.Elem().Set(v.Elem())
		if fix != nil && !fix(p.Elem()) {
			return false
		}
		v.Set(p)
		return true
	}
}

func fixSlice(t reflect.Type, fix func(reflect.Value) bool) func(reflect.Value) bool {
	switch t { // reflection allocates a slice's header too
	case reflect.TypeFor[[]string]():
		return fixPlain[string]
	case reflect.TypeFor[[]byte]():
		return fixPlain[byte]
	case reflect.TypeFor[[]int]():
		return fixPlain[int]
	}
	return func(v reflect.Value) bool {
		if v.IsNil() {
			return true
		}
		n := reflect.MakeSlice(t, v.Len(), v.Len())
		reflect.Copy(n, v)
		if fix != nil {
			for i := range n.Len() {
				if !fix(n.Index(i)) {
					return false
				}
			}
		}
		v.Set(n)
		return true
	}
}

func fixPlain[E any](v reflect.Value) bool {
	p, ok := v.Addr().Interface().(*[]E)
	if ok {
		*p = slices.Clone(*p)
	}
	return ok
}

func fixArray(t reflect.Type, fix func(reflect.Value) bool) func(reflect.Value) bool {
	if fix == nil {
		return nil
	}
	return func(v reflect.Value) bool {
		for i := range t.Len() {
			if !fix(v.Index(i)) {
				return false
			}
		}
		return true
	}
}

func fixMap(t reflect.Type, fix func(reflect.Value) bool) func(reflect.Value) bool {
	elem := t.Elem()
	if t == reflect.TypeFor[map[string]any]() {
		return func(v reflect.Value) bool {
			if v.IsNil() {
				return true
			}
			m, ok := jsontext.CopyJSON(v.Interface())
			if ok {
				v.Set(reflect.ValueOf(m))
			}
			return ok
		}
	}
	return func(v reflect.Value) bool {
		if v.IsNil() {
			return true
		}
		n := reflect.MakeMapWithSize(t, v.Len())
		slot := reflect.New(elem).Elem()
		for it := v.MapRange(); it.Next(); {
			slot.Set(it.Value())
			if fix != nil && !fix(slot) {
				return false
			}
			n.SetMapIndex(it.Key(), slot)
		}
		v.Set(n)
		return true
	}
}

// fixTime drops the monotonic reading, which no store keeps. A zone may come back
// from a store under another name for the same offset: the same instant. Not so if
// the offset has seconds, as zones had before 1970.
func fixTime(v reflect.Value) bool {
	p, ok := v.Addr().Interface().(*time.Time)
	if !ok {
		return false
	}
	*p = p.Round(0)
	if p.Location() == time.UTC {
		return true
	}
	_, offset := p.Zone()
	return offset%60 == 0
}

func fixInterface(v reflect.Value) bool {
	if v.IsNil() {
		return true
	}
	n, ok := jsontext.CopyJSON(v.Interface())
	if ok {
		v.Set(reflect.ValueOf(n))
	}
	return ok
}
