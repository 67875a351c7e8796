package clone

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrUnstorable is session.ErrUnstorable.
var ErrUnstorable = errors.New("session: data cannot be stored")

// Fault is what is wrong with a part of a value, and where.
type Fault struct {
	Path string // such as .user.tags[2]
	Why  string
}

func (f *Fault) Under(step string) *Fault {
	if f != nil {
		f.Path = step + f.Path
	}
	return f
}

func (f *Fault) Err() error {
	if f == nil {
		return nil
	}
	if f.Path == "" {
		return fmt.Errorf("%w: %s", ErrUnstorable, f.Why)
	}
	return fmt.Errorf("%w: %s: %s", ErrUnstorable, strings.TrimPrefix(f.Path, "."), f.Why)
}

const (
	NotUTF8  = "is not UTF-8, of which JSON would make something else; keep bytes in a []byte, which is stored as base64"
	MaxDepth = 1000 // how deep a value is looked at; what is deeper may be a circle
)

// Step is how a map's key stands in a path: quoted where it is no plain name, and cut
// where it is long.
func Step(key string) string {
	plain := key != ""
	for _, r := range key {
		plain = plain && (r == '_' || r == '-' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z')
	}
	if len(key) > 64 {
		key, plain = key[:64]+"…", false
	}
	if plain {
		return "." + key
	}
	return "[" + strconv.QuoteToASCII(key) + "]"
}

func Index(i int) string { return "[" + strconv.Itoa(i) + "]" }

// fieldStep is how a field stands in a path, "" for one whose fields stand beside its
// own, and false for one that is not stored.
func fieldStep(f reflect.StructField) (string, bool) {
	tag := f.Tag.Get("json")
	if tag == "-" || !f.IsExported() && !f.Anonymous {
		return "", false
	}
	switch name := tagName(tag); {
	case name != "":
		return Step(name), true
	case f.Anonymous:
		return "", true
	}
	return Step(f.Name), true
}

// FindFault looks for what encoding/json refuses without saying where, or replaces
// silently. It is asked only where an encoding shows that there may be some.
func FindFault(v reflect.Value, room int) *Fault {
	if room == 0 {
		return nil
	}
	t := v.Type()
	if p := reflect.PointerTo(t); t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && (p.Implements(Marshaler) || p.Implements(textMarshaler)) {
		return faultOfCustom(v)
	}
	switch t.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return &Fault{Why: NotUTF8}
		}
		if _, err := json.Marshal(v.Interface()); err != nil {
			return &Fault{Why: "is not a number; write one, or a string"} // a json.Number
		}
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return &Fault{Why: fmt.Sprintf("is %v, for which JSON has no form; leave the value out, or write text", f)}
		}
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer, reflect.Uintptr:
		return &Fault{Why: fmt.Sprintf("JSON has no form for %v", t)}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return FindFault(v.Elem(), room-1)
		}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return nil
		}
		for i := range v.Len() {
			if f := FindFault(v.Index(i), room-1); f != nil {
				return f.Under(Index(i))
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			name := keyText(it.Key())
			if !utf8.ValidString(name) {
				return (&Fault{Why: "the key " + NotUTF8}).Under(Step(name))
			}
			if f := FindFault(it.Value(), room-1); f != nil {
				return f.Under(Step(name))
			}
		}
	case reflect.Struct:
		for i := range t.NumField() {
			name, stored := fieldStep(t.Field(i))
			if !stored {
				continue
			}
			if f := FindFault(v.Field(i), room-1); f != nil {
				return f.Under(name)
			}
		}
	}
	return nil
}

// keyText is how a map's key stands in JSON.
func keyText(key reflect.Value) string {
	if key.Kind() == reflect.String {
		return key.String()
	}
	if m, ok := key.Interface().(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(key.Interface())
}

// faultOfCustom asks a value that encodes itself.
func faultOfCustom(v reflect.Value) *Fault {
	if !v.CanInterface() {
		return nil
	}
	own := v.Interface()
	if v.CanAddr() {
		own = v.Addr().Interface()
	}
	if raw, ok := v.Interface().(json.RawMessage); ok && raw != nil && !json.Valid(raw) {
		return &Fault{Why: "is not JSON"}
	}
	if m, ok := own.(encoding.TextMarshaler); ok {
		if _, json := own.(json.Marshaler); !json {
			if text, err := m.MarshalText(); err == nil && !utf8.Valid(text) {
				return &Fault{Why: NotUTF8}
			}
		}
	}
	text, err := json.Marshal(own)
	switch {
	case err != nil && v.Type() == reflect.TypeFor[time.Time]():
		return &Fault{Why: "is a time that RFC 3339 has no form for: write one of the years 0 to 9999, in a zone less than a day off"}
	case err != nil:
		return &Fault{Why: err.Error()}
	case !utf8.Valid(text):
		return &Fault{Why: NotUTF8}
	}
	return nil
}
