package document

import (
	"bytes"
	"errors"
	"fmt"
	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/jsontext"
	"github.com/nestsession/session/internal/recent"
	"reflect"
	"sync/atomic"
	"unicode/utf8"
	"unsafe"
)

// ErrReservedKey is session.ErrReservedKey.
var ErrReservedKey = errors.New("session: reserved key in the data")

// Codec turns values of T into documents and back.
type Codec[T any] struct {
	copier   *clone.Copier
	fields   map[string]int // the keys of a struct's fields, and where they stand in order; nil where T takes any key
	order    []string
	marks    uint64 // the marks of the fields' keys
	anyKeys  bool   // T can bring keys that New has not seen
	isMap    bool   // T is a map, and encoded as one
	plain    bool   // T is map[string]any
	express  bool   // Node reads what is stored
	reserved map[string]bool
	Empty    *Document[T] // of a session that nothing was put into
	Seal     *Sealer
	cookies  *cookieReader
	cache    *recent.Cache
}

// Document is what a record's data say, in one version. It is shared between
// requests: nothing in it is ever changed, or reachable from a handler.
//
// The fields that each request reads come first, so that they are in few cache lines.
type Document[T any] struct {
	entry   recent.Entry  // by the record's key
	version atomic.Uint64 // as the store has it; 0 if that is not known
	seal    *sealing      // nil where the data are stored readable
	Misfits []Misfit      // members that do not fit, which Value therefore does not have
	Value   T
	Meta    Meta
	Data    []byte

	// The members besides cookie and meta are text()[from:to], as a save would write them.
	// to is 0 if they stand in another form.
	from, to int

	coded atomic.Pointer[[]byte] // the encoding of Value, once it is known; inside is text()[from:to]

	Cookie     any // its settings, as the parser of cookies gave them; never changed in place
	Lifetime   Lifetime
	CookieEnds Instant // in the browser; 0 if it has no date there

	drops uint32 // of the cache, before the document was loaded or stored
}

// inside stands for an encoding that is, between its braces, what a document has.
var inside = new([]byte)

// Cookies reads and writes cookie members for a [Codec].
type Cookies struct {
	// Parse reads the value of a cookie member.
	Parse func(text []byte) (settings any, l Lifetime, ends Instant, err error)

	// Write writes one with no lifetime and no date. nil: Parse reads all of them.
	Write func(settings any) []byte
}

// NewCodec returns a codec. reserved are the keys that the data must not have; express says
// that Node reads what is stored; cacheBytes is how much memory decoded documents may take, and
// none are kept if it is not positive.
func NewCodec[T any](reserved []string, express bool, cookies Cookies, cacheBytes int) (Codec[T], error) {
	c := Codec[T]{express: express, cookies: &cookieReader{parse: cookies.Parse, write: cookies.Write}, reserved: make(map[string]bool, len(reserved))}
	for _, key := range reserved {
		c.reserved[key] = true
	}
	t := reflect.TypeFor[T]()
	p := reflect.PointerTo(t)
	custom := p.Implements(clone.Marshaler) || p.Implements(clone.Unmarshaler)
	switch {
	case t.Kind() == reflect.Struct && !custom:
		c.fields = map[string]int{}
		err := clone.EachField(t, "", nil, func(_ reflect.StructField, name, _ string) error {
			if name != "" {
				c.fields[name], c.order = len(c.order), append(c.order, name)
				c.marks |= mark(name)
			}
			return nil
		})
		if err != nil {
			return c, err
		}
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String, custom && t.Kind() != reflect.Pointer:
		c.anyKeys = true
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		return c, fmt.Errorf("session: New[%v]: a session's data are kept by value; write New[%v]", t, t.Elem())
	default:
		return c, fmt.Errorf("session: New[%v]: a session's data are the members of a JSON object; write a struct, or map[string]any", t)
	}
	for name := range c.fields {
		if c.isReserved(name) {
			return c, fmt.Errorf("session: New[%v]: the field with the key %q: %w; give it another name with a json tag", t, name, ErrReservedKey)
		}
	}
	c.isMap = t.Kind() == reflect.Map && !custom
	c.plain = t == reflect.TypeFor[map[string]any]()
	c.copier, c.cache = clone.Compile(t), recent.New(cacheBytes)
	if err := clone.CheckType(t); err != nil {
		return c, fmt.Errorf("session: New[%v]: %w", t, err)
	}
	var zero, again T
	body, err := c.Encode(&zero)
	if err != nil {
		return c, fmt.Errorf("session: New[%v]: the zero value cannot be stored: %w", t, err)
	}
	if err := c.decodeValue(body, &again); err != nil {
		return c, fmt.Errorf("session: New[%v]: the zero value is stored as %s and cannot be read back: %w", t, body, err)
	}
	c.Empty = &Document[T]{Data: body, from: 1, to: len(body) - 1}
	c.Empty.coded.Store(inside)
	initMap(reflect.ValueOf(&c.Empty.Value).Elem())
	return c, nil
}

func (c *Codec[T]) isReserved(key string) bool {
	return key == cookieKey || key == metaKey || c.reserved[key]
}

// Encode returns the object that v is, in a buffer of its own.
func (c *Codec[T]) Encode(v *T) ([]byte, error) {
	body, err := c.appendObject(v)
	// The encoder writes the replacement of what is not UTF-8 as an escape, and hands on
	// what a type encodes by itself as it is.
	if err == nil && utf8.Valid(body) && !bytes.Contains(body, []byte(`\ufffd`)) || errors.Is(err, ErrReservedKey) {
		return body, err
	}
	if f := clone.FindFault(reflect.ValueOf(v).Elem(), clone.MaxDepth); f != nil {
		return nil, f.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", clone.ErrUnstorable, err)
	}
	if !utf8.Valid(body) {
		return nil, (&clone.Fault{Why: clone.NotUTF8}).Err()
	}
	return body, nil
}

func (c *Codec[T]) appendObject(v *T) ([]byte, error) {
	if m, ok := any(v).(*map[string]any); ok && c.plain {
		return c.encodeMap(*m)
	}
	body, err := jsontext.AppendAny(nil, v)
	if err != nil {
		return nil, err
	}
	if string(body) == "null" {
		return []byte("{}"), nil
	}
	if body[0] != '{' {
		return nil, fmt.Errorf("%T is encoded as something else than an object", *v)
	}
	if c.anyKeys {
		if err := c.checkKeys(body); err != nil {
			return nil, err
		}
	}
	return body, nil
}

func (c *Codec[T]) checkKeys(body []byte) error {
	return jsontext.Each(body, func(quoted, _ []byte, _ int) error {
		key, err := jsontext.Unquote(quoted)
		if err == nil && c.isReserved(key) {
			err = fmt.Errorf("%w: %q; choose another key", ErrReservedKey, key)
		}
		return err
	})
}

// Encoding returns the encoding of the document's value.
func (c *Codec[T]) Encoding(d *Document[T]) ([]byte, error) {
	coded := d.coded.Load()
	if coded == nil {
		body, err := c.Encode(&d.Value)
		if err != nil {
			return nil, err
		}
		if coded = &body; d.stands(body) {
			coded = inside
		}
		d.coded.Store(coded)
		return body, nil
	}
	if coded != inside {
		return *coded, nil
	}
	body := make([]byte, 0, d.to-d.from+len("{}"))
	return append(append(append(body, '{'), d.text()[d.from:d.to]...), '}'), nil
}

// Encodes reports whether body is the encoding of the document's value.
func (c *Codec[T]) Encodes(d *Document[T], body []byte) (bool, error) {
	if d.coded.Load() == inside {
		return d.stands(body), nil
	}
	was, err := c.Encoding(d)
	return bytes.Equal(was, body), err
}

// stands reports whether body is, between its braces, what d has besides cookie and meta.
func (d *Document[T]) stands(body []byte) bool {
	return d.to > 0 && bytes.Equal(d.text()[d.from:d.to], body[1:len(body)-1])
}

// CopiesExactly reports whether a copy has the very form that a store gives back.
func (c *Codec[T]) CopiesExactly() bool {
	return c.copier.Safe && !c.copier.Dynamic && !c.copier.Times
}

// Shares reports whether a handler could change a copy's insides without Update.
func (c *Codec[T]) Shares() bool { return c.copier.Fix != nil || !c.copier.Safe }

// Same reports whether two values of one origin are still alike.
func (c *Codec[T]) Same(a, b *T) bool {
	if c.copier.Safe {
		return c.copier.Equal(unsafe.Pointer(a), unsafe.Pointer(b))
	}
	// A decoder may fill in what was not there, so that a copy is another thing in memory.
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	return reflect.DeepEqual(a, b) || clone.Differing{}.Find(x, y, clone.MaxDepth) == nil
}

// Copy gives a request a value of its own.
func (c *Codec[T]) Copy(d *Document[T], dst *T) error {
	if c.copies(&d.Value, dst) {
		return nil
	}
	body, err := c.Encoding(d)
	if err != nil {
		return err
	}
	return c.decodeNew(body, dst)
}

// CopyValue copies a value that was detached.
func (c *Codec[T]) CopyValue(v, dst *T) error {
	if c.copies(v, dst) {
		return nil
	}
	body, err := c.Encode(v)
	if err != nil {
		return err
	}
	return c.decodeNew(body, dst)
}

// copies makes *dst a copy of *v. It reports false for a value that it cannot copy.
func (c *Codec[T]) copies(v, dst *T) bool {
	if !c.copier.Safe {
		return false
	}
	*dst = *v
	return c.copier.Fix == nil || c.copier.Fix(reflect.ValueOf(dst).Elem())
}

// decodeNew is decodeValue for a variable that may have a value.
func (c *Codec[T]) decodeNew(body []byte, dst *T) error {
	var zero T
	*dst = zero
	return c.decodeValue(body, dst)
}

// Detach gives v parts of its own where it refers to what a handler may have kept
// and go on changing, and the form in which it would come back from a store. What
// would not come back stays as it is, and the error says what is wrong with it: the
// save's, since the next function given to Update may put it right.
func (c *Codec[T]) Detach(v *T) error {
	if !c.Shares() || c.copier.Safe && c.copier.Fix(reflect.ValueOf(v).Elem()) {
		return nil
	}
	body, err := c.Encode(v)
	if err != nil {
		return err
	}
	return c.comeBack(v, body)
}

// Normalize gives v, of which body is the encoding, the form in which it comes back from
// a store, if it may have another.
func (c *Codec[T]) Normalize(v *T, body []byte) error {
	if c.copier.Faithful && c.copier.Safe {
		return nil
	}
	return c.comeBack(v, body)
}

// comeBack makes v what is decoded from its encoding, if that is alike.
func (c *Codec[T]) comeBack(v *T, body []byte) error {
	var own T
	if err := c.decodeValue(body, &own); err != nil {
		return fmt.Errorf("%w: what is encoded cannot be decoded: %w", clone.ErrUnstorable, fitError("", err))
	}
	f := clone.Differing{}.Find(reflect.ValueOf(v).Elem(), reflect.ValueOf(&own).Elem(), clone.MaxDepth)
	if f == nil {
		*v = own
	}
	return f.Err()
}

// encodeMap is encode where T is a map[string]any.
func (c *Codec[T]) encodeMap(m map[string]any) ([]byte, error) {
	if m == nil {
		return []byte("{}"), nil
	}
	for key := range m {
		if c.isReserved(key) {
			return nil, fmt.Errorf("%w: %q; choose another key", ErrReservedKey, key)
		}
	}
	return jsontext.AppendMap(make([]byte, 0, 256), m, jsontext.MaxDepth)
}
