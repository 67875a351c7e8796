package session

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"unicode/utf8"
)

// errReservedKey is session.ErrReservedKey.
var errReservedKey = errors.New("session: reserved key in the data")

// codec turns values of T into documents and back.
type codec[T any] struct {
	copier   *copier
	fields   map[string]bool // the keys of a struct's fields; nil where T takes any key
	anyKeys  bool            // T can bring keys that New has not seen
	isMap    bool            // T is a map, and encoded as one
	plain    bool            // T is map[string]any
	express  bool            // Node reads what is stored
	reserved map[string]bool
	empty    *document[T] // of a session that nothing was put into
	seal     *sealer
	parse    func(cookie []byte) (settings any, l lifetime, err error) // of the cookie member
	cache    documentCache[T]
}

// document is what a record's data say, in one version. It is shared between
// requests: nothing in it is ever changed, or reachable from a handler.
type document[T any] struct {
	key   string
	data  []byte
	value T

	// others are the members besides cookie and meta as they stand in data, or nil
	// if they are the inside of body to the letter. What T has no field for is not
	// taken apart: a run of such members is one without a key.
	others  []member
	misfits []misfit               // of the others, which value therefore does not have
	body    []byte                 // the encoding of value, if the document was composed of it
	coded   atomic.Pointer[[]byte] // the same for a document that was loaded, when first asked for
	used    atomic.Bool            // since the cache last looked

	cookie   any // its settings, as parseCookie gave them; never changed in place
	lifetime lifetime
	meta     meta
}

func newCodec[T any](reserved []string, express bool, parse func(cookie []byte) (settings any, l lifetime, err error)) (codec[T], error) {
	c := codec[T]{express: express, parse: parse, reserved: make(map[string]bool, len(reserved))}
	for _, key := range reserved {
		c.reserved[key] = true
	}
	t := reflect.TypeFor[T]()
	p := reflect.PointerTo(t)
	custom := p.Implements(marshaler) || p.Implements(unmarshaler)
	switch {
	case t.Kind() == reflect.Struct && !custom:
		c.fields = map[string]bool{}
		err := eachField(t, "", nil, func(_ reflect.StructField, name, _ string) error {
			c.fields[name] = name != ""
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
			return c, fmt.Errorf("session: New[%v]: the field with the key %q: %w; give it another name with a json tag", t, name, errReservedKey)
		}
	}
	c.isMap = t.Kind() == reflect.Map && !custom
	c.plain = t == reflect.TypeFor[map[string]any]()
	c.copier, c.cache = compileCopier(t), newDocumentCache[T]()
	if err := unstorable(t); err != nil {
		return c, fmt.Errorf("session: New[%v]: %w", t, err)
	}
	var zero, again T
	body, err := c.encode(&zero)
	if err != nil {
		return c, fmt.Errorf("session: New[%v]: the zero value cannot be stored: %w", t, err)
	}
	if err := c.decodeValue(body, &again); err != nil {
		return c, fmt.Errorf("session: New[%v]: the zero value is stored as %s and cannot be read back: %w", t, body, err)
	}
	c.empty = &document[T]{body: body}
	initMap(reflect.ValueOf(&c.empty.value).Elem())
	return c, nil
}

func (c *codec[T]) isReserved(key string) bool {
	return key == cookieKey || key == metaKey || c.reserved[key]
}

// encode returns the object that v is, in a buffer of its own.
func (c *codec[T]) encode(v *T) ([]byte, error) {
	body, err := c.appendObject(v)
	// The encoder writes the replacement of what is not UTF-8 as an escape, and hands on
	// what a type encodes by itself as it is.
	if err == nil && utf8.Valid(body) && !bytes.Contains(body, []byte(`\ufffd`)) || errors.Is(err, errReservedKey) {
		return body, err
	}
	if f := findFault(reflect.ValueOf(v).Elem(), maxSteps); f != nil {
		return nil, f.error()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnstorable, err)
	}
	if !utf8.Valid(body) {
		return nil, (&fault{why: notUTF8}).error()
	}
	return body, nil
}

func (c *codec[T]) appendObject(v *T) ([]byte, error) {
	if m, ok := any(v).(*map[string]any); ok && c.plain {
		return c.encodeMap(*m)
	}
	body, err := appendOther(nil, v)
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

func (c *codec[T]) checkKeys(body []byte) error {
	return eachMember(body, func(quoted, _ []byte, _ int) error {
		key, err := unquote(quoted)
		if err == nil && c.isReserved(key) {
			err = fmt.Errorf("%w: %q; choose another key", errReservedKey, key)
		}
		return err
	})
}

// bodyOf returns the encoding of the document's value.
func (c *codec[T]) bodyOf(d *document[T]) ([]byte, error) {
	if d.body != nil {
		return d.body, nil
	}
	if b := d.coded.Load(); b != nil {
		return *b, nil
	}
	body, err := c.encode(&d.value)
	if err != nil {
		return nil, err
	}
	d.coded.Store(&body)
	return body, nil
}

// copiesExactly reports whether a copy has the very form that a store gives back.
func (c *codec[T]) copiesExactly() bool {
	return c.copier.safe && !c.copier.dynamic && !c.copier.times
}

// shares reports whether a handler could change a copy's insides without Update.
func (c *codec[T]) shares() bool { return c.copier.fix != nil || !c.copier.safe }

// same reports whether two values of one origin are still alike.
func (c *codec[T]) same(a, b *T) bool {
	if c.copier.safe {
		return c.copier.equal(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem())
	}
	// A decoder may fill in what was not there, so that a copy is another thing in memory.
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	return reflect.DeepEqual(a, b) || differing{}.find(x, y, maxSteps) == nil
}

// copyOf gives a request a value of its own.
func (c *codec[T]) copyOf(d *document[T], dst *T) error {
	if c.copier.fix == nil && c.copier.safe {
		*dst = d.value
		return nil
	}
	if c.copier.safe {
		*dst = d.value
		if c.copier.fix(reflect.ValueOf(dst).Elem()) {
			return nil
		}
	}
	body, err := c.bodyOf(d)
	if err != nil {
		return err
	}
	var zero T
	*dst = zero
	return c.decodeValue(body, dst)
}

// copyValue copies a value that was detached.
func (c *codec[T]) copyValue(v, dst *T) error {
	return c.copyOf(&document[T]{value: *v}, dst)
}

// detach gives v parts of its own where it refers to what a handler may have kept
// and go on changing, and the form in which it would come back from a store. What
// would not come back stays as it is, and the error says what is wrong with it: the
// save's, since the next function given to Update may put it right.
func (c *codec[T]) detach(v *T) error {
	if !c.shares() || c.copier.safe && c.copier.fix(reflect.ValueOf(v).Elem()) {
		return nil
	}
	body, err := c.encode(v)
	if err != nil {
		return err
	}
	return c.comeBack(v, body)
}

// settle gives v, of which body is the encoding, the form in which it comes back from
// a store, if it may have another.
func (c *codec[T]) settle(v *T, body []byte) error {
	if c.copier.faithful && c.copier.safe {
		return nil
	}
	return c.comeBack(v, body)
}

// comeBack makes v what is decoded from its encoding, if that is alike.
func (c *codec[T]) comeBack(v *T, body []byte) error {
	var own T
	if err := c.decodeValue(body, &own); err != nil {
		return fmt.Errorf("%w: what is encoded cannot be decoded: %w", errUnstorable, fitError("", err))
	}
	f := differing{}.find(reflect.ValueOf(v).Elem(), reflect.ValueOf(&own).Elem(), maxSteps)
	if f == nil {
		*v = own
	}
	return f.error()
}

// encodeMap is encode where T is a map[string]any.
func (c *codec[T]) encodeMap(m map[string]any) ([]byte, error) {
	if m == nil {
		return []byte("{}"), nil
	}
	for key := range m {
		if c.isReserved(key) {
			return nil, fmt.Errorf("%w: %q; choose another key", errReservedKey, key)
		}
	}
	return appendMap(make([]byte, 0, 256), m, maxNesting)
}
