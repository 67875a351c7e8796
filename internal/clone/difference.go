package clone

import (
	"bytes"
	"encoding/json"
	"fmt"
	"github.com/nestsession/session/internal/jsontext"
	"reflect"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// Differing finds where two values of a type differ.
type Differing struct {
	// exactly: as reflect.DeepEqual sees it. Otherwise as who stored a and got b back
	// would: an empty list is as good as none, a number keeps its value and not its Go
	// type, what is not stored does not count, and a type's own Equal decides.
	Exactly bool
}

const changed = "would not come back as it is: what its type encodes, the type decodes as something else"

// Find returns where b differs from a, nil if nowhere.
func (d Differing) Find(a, b reflect.Value, room int) *Fault {
	if room == 0 {
		return nil
	}
	t := a.Type()
	if !d.Exactly && t.Kind() != reflect.Interface && t.Kind() != reflect.Pointer {
		if same, known := sameByMethod(a, b); known {
			return unless(same)
		}
	}
	switch t.Kind() {
	case reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return unless(a.IsNil() == b.IsNil())
		}
		return d.findAny(a.Elem(), b.Elem(), room-1)
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() || a.Pointer() == b.Pointer() {
			return unless(a.IsNil() == b.IsNil())
		}
		return d.Find(a.Elem(), b.Elem(), room-1)
	case reflect.Slice, reflect.Array:
		return d.findList(a, b, room)
	case reflect.Map:
		return d.findMap(a, b, room)
	case reflect.Struct:
		custom := d.Exactly || isCustom(t)
		for i := range t.NumField() {
			name, stored := fieldStep(t.Field(i))
			if !stored && t.Field(i).Tag.Get("json") == "-" && !d.Exactly {
				continue
			}
			if f := d.Find(a.Field(i), b.Field(i), room-1); f != nil {
				if custom && !stored && name == "" {
					name = Step(t.Field(i).Name)
				}
				return f.Under(name)
			}
		}
		return nil
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return unless(a.IsNil() == b.IsNil())
	case reflect.Float32, reflect.Float64:
		x, y := a.Float(), b.Float()
		return unless(x == y || x != x && y != y)
	}
	return unless(a.Equal(b))
}

func unless(same bool) *Fault {
	if same {
		return nil
	}
	return &Fault{Why: changed}
}

func (d Differing) findList(a, b reflect.Value, room int) *Fault {
	if a.Kind() == reflect.Slice && d.Exactly && a.IsNil() != b.IsNil() {
		return &Fault{Why: changed}
	}
	for i := range min(a.Len(), b.Len()) {
		if f := d.Find(a.Index(i), b.Index(i), room-1); f != nil {
			return f.Under(Index(i))
		}
	}
	return unless(a.Len() == b.Len()).Under(Index(min(a.Len(), b.Len())))
}

func (d Differing) findMap(a, b reflect.Value, room int) *Fault {
	if d.Exactly && a.IsNil() != b.IsNil() {
		return &Fault{Why: changed}
	}
	for it := a.MapRange(); it.Next(); {
		other := b.MapIndex(it.Key())
		if !other.IsValid() {
			return (&Fault{Why: changed}).Under(stepOf(it.Key()))
		}
		if f := d.Find(it.Value(), other, room-1); f != nil {
			return f.Under(stepOf(it.Key()))
		}
	}
	for it := b.MapRange(); a.Len() < b.Len() && it.Next(); {
		if !a.MapIndex(it.Key()).IsValid() {
			return (&Fault{Why: changed}).Under(stepOf(it.Key()))
		}
	}
	return nil
}

func stepOf(key reflect.Value) string {
	if !key.CanInterface() {
		return "[…]"
	}
	return Step(keyText(key))
}

// findAny compares what two interfaces hold. What went into one as some type comes
// back as JSON's: it must be of a kind from which the type could be read again.
func (d Differing) findAny(a, b reflect.Value, room int) *Fault {
	switch a.Interface().(type) {
	case bool, string, map[string]any, []any:
	default:
		if !d.Exactly {
			return notBack(a, b)
		}
	}
	if a.Type() != b.Type() {
		return &Fault{Why: changed}
	}
	return d.Find(a, b, room)
}

// storable remembers what unstorable says of the types that were put in interfaces.
var storable sync.Map

func notBack(a, b reflect.Value) *Fault {
	switch a.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64:
	default:
		if isInteger(a.Type()) {
			break
		}
		known, seen := storable.Load(a.Type())
		if !seen {
			known, _ = storable.LoadOrStore(a.Type(), CheckType(a.Type()))
		}
		if err, bad := known.(error); bad {
			return &Fault{Why: err.Error()}
		}
	}
	text, err := json.Marshal(a.Interface())
	if err != nil {
		return &Fault{Why: err.Error()}
	}
	if n, ok := b.Interface().(json.Number); ok { // one above 2^53
		x, errX := strconv.ParseFloat(string(text), 64)
		y, errY := n.Float64()
		return unless(string(text) == string(n) || errX == nil && errY == nil && x == y)
	}
	again := reflect.New(a.Type())
	if err := json.Unmarshal(text, again.Interface()); err != nil {
		return &Fault{Why: fmt.Sprintf("what %v encodes, it cannot decode", a.Type())}
	}
	return Differing{}.Find(a, again.Elem(), MaxDepth)
}

// sameByMethod compares values of types that know best when they are alike.
func sameByMethod(a, b reflect.Value) (same, known bool) {
	if !a.CanInterface() {
		return a.Type() == reflect.TypeFor[time.Time](), a.Type() == reflect.TypeFor[time.Time]()
	}
	switch x := a.Interface().(type) {
	case time.Time:
		y, ok := b.Interface().(time.Time)
		return ok && x.Equal(y), true
	case json.Number:
		return numberText(a) == numberText(b), true
	case json.RawMessage:
		return bytes.Equal(rawText(x), rawText(b.Bytes())), true
	}
	if !isCustom(a.Type()) {
		return false, false
	}
	pa, pb := reflect.New(a.Type()), reflect.New(a.Type())
	pa.Elem().Set(a)
	pb.Elem().Set(b)
	for _, method := range []string{"Equal", "Cmp"} {
		m := pa.MethodByName(method)
		if !m.IsValid() || m.Type().NumIn() != 1 || m.Type().NumOut() != 1 {
			continue
		}
		other := pb
		if m.Type().In(0) == a.Type() {
			other = pb.Elem()
		} else if m.Type().In(0) != pb.Type() {
			continue
		}
		out := m.Call([]reflect.Value{other})[0]
		switch {
		case method == "Equal" && out.Kind() == reflect.Bool:
			return out.Bool(), true
		case method == "Cmp" && out.Kind() == reflect.Int:
			return out.Int() == 0, true
		}
	}
	return false, false
}

// numberText is how a json.Number is encoded.
func numberText(v reflect.Value) string {
	if v.String() == "" {
		return "0"
	}
	return v.String()
}

// rawText is how a json.RawMessage is encoded.
func rawText(raw []byte) []byte {
	var text bytes.Buffer
	if raw == nil || json.Compact(&text, raw) != nil {
		return []byte("null")
	}
	return text.Bytes()
}

// CheckValue is what is wrong with a value that an interface is to hold.
func CheckValue(value any) *Fault {
	switch v := value.(type) {
	case nil, bool, int, int64:
		return nil
	case string:
		if utf8.ValidString(v) {
			return nil
		}
	}
	v := reflect.ValueOf(value)
	if f := FindFault(v, MaxDepth); f != nil {
		return f
	}
	text, err := json.Marshal(value)
	if err != nil {
		return &Fault{Why: err.Error()}
	}
	a, b := reflect.New(reflect.TypeFor[any]()).Elem(), reflect.New(reflect.TypeFor[any]()).Elem()
	a.Set(v)
	if back := jsontext.DecodeAny(text); back != nil {
		b.Set(reflect.ValueOf(back))
	}
	return Differing{}.Find(a, b, MaxDepth)
}
