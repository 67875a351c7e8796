package clone

import (
	"encoding"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// Copier hands out copies of values of one type that share nothing with the
// original. It is compiled from the type once, since decoding JSON anew for each
// request is what sessions elsewhere spend their time on.
type Copier struct {
	// Fix replaces what v refers to by copies, after v itself was assigned. It
	// returns false where a value is of a kind that it cannot copy. nil: nothing to do.
	Fix func(v reflect.Value) bool

	// Equal reports whether the values at a and b are alike; only where safe.
	Equal func(a, b unsafe.Pointer) bool

	// safe: copies of decoded values are complete. Otherwise decode.
	Safe bool

	// faithful: a copy of a value equals what decoding its encoding gives, unless
	// Fix returns false.
	Faithful bool

	// dynamic: the type holds interfaces, so that numbers need attention.
	Dynamic bool

	// times: the type holds times, whose form in a store not every one has.
	Times bool

	refers sizer
}

// The types that are never changed in place, whatever they hold inside.
var immutable = []reflect.Type{
	reflect.TypeFor[time.Time](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[netip.Prefix](), reflect.TypeFor[netip.AddrPort](),
}

var (
	Marshaler       = reflect.TypeFor[json.Marshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	Unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func Compile(t reflect.Type) *Copier {
	c := &Copier{Safe: true, Faithful: true}
	c.Fix = c.compile(t, map[reflect.Type]*func(reflect.Value) bool{})
	c.refers = compileSize(t, map[reflect.Type]*sizer{})
	c.Equal = compileEqual(t, map[reflect.Type]*equaler{})
	return c
}

// compile returns the fix of a type, nil for a type without references. seen
// breaks the circle of types that refer to themselves.
func (c *Copier) compile(t reflect.Type, seen map[reflect.Type]*func(reflect.Value) bool) func(reflect.Value) bool {
	if t == immutable[0] {
		c.Times = true
		return fixTime
	}
	if slices.Contains(immutable, t) {
		return nil
	}
	if p := reflect.PointerTo(t); p.Implements(Marshaler) || p.Implements(textMarshaler) || p.Implements(Unmarshaler) || p.Implements(textUnmarshaler) {
		c.Faithful = false
		if t.Kind() == reflect.Struct && hidesFields(t) {
			c.Safe = false // its decoder may fill what cannot be reached from here
			return nil
		}
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return nil
	case reflect.Interface:
		c.Dynamic = true
		if t.NumMethod() > 0 {
			c.Safe = false
		}
		return fixInterface
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array, reflect.Struct:
	default:
		c.Safe = false
		return nil
	}
	if known := seen[t]; known != nil {
		if *known == nil { // still being compiled: a type that holds itself
			c.Safe = false // a handler can make a circle of it, which encoding/json alone notices
		}
		return func(v reflect.Value) bool { return (*known)(v) }
	}
	var self func(reflect.Value) bool
	seen[t] = &self
	switch t.Kind() {
	case reflect.Pointer:
		self = fixPointer(t, c.compile(t.Elem(), seen))
	case reflect.Slice:
		self = fixSlice(t, c.compile(t.Elem(), seen))
	case reflect.Map:
		if k := t.Key(); k.Kind() != reflect.String && !isInteger(k) || reflect.PointerTo(k).Implements(textMarshaler) || reflect.PointerTo(k).Implements(textUnmarshaler) {
			c.Safe, c.Faithful = false, false
		}
		self = fixMap(t, c.compile(t.Elem(), seen))
	case reflect.Array:
		self = fixArray(t, c.compile(t.Elem(), seen))
	case reflect.Struct:
		self = c.compileStruct(t, seen)
	}
	if self == nil {
		delete(seen, t)
	}
	return self
}

func (c *Copier) compileStruct(t reflect.Type, seen map[reflect.Type]*func(reflect.Value) bool) func(reflect.Value) bool {
	type field struct {
		index     int
		fix       func(reflect.Value) bool
		omitEmpty bool
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		embedded := f.Anonymous && name == ""
		if !embedded && !f.IsExported() || tag == "-" {
			c.Faithful = false // neither encoded nor decoded
			continue
		}
		if embedded {
			c.Faithful = false // fields of the same name may hide each other
			c.Safe = c.Safe && f.IsExported() && f.Type.Kind() == reflect.Struct
		}
		if strings.Contains(options, "string") {
			c.Faithful = false // encoding/json quotes what encodes itself in one direction only
		}
		if strings.Contains(options, "omitzero") && f.Type != immutable[0] {
			if _, own := reflect.PointerTo(f.Type).MethodByName("IsZero"); own {
				c.Faithful = false
			}
		}
		if fix := c.compile(f.Type, seen); fix != nil && f.IsExported() {
			fields = append(fields, field{i, fix, strings.Contains(options, "omitempty")})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return func(v reflect.Value) bool {
		for i := range fields {
			f := v.Field(fields[i].index)
			if !fields[i].fix(f) {
				return false
			}
			if fields[i].omitEmpty && (f.Kind() == reflect.Slice || f.Kind() == reflect.Map) && !f.IsNil() && f.Len() == 0 {
				return false // would come back nil
			}
		}
		return true
	}
}

func isInteger(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 }

// hidesFields reports whether a struct has fields that encoding/json passes over.
func hidesFields(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); !f.IsExported() || f.Tag.Get("json") == "-" {
			return true
		}
	}
	return false
}
