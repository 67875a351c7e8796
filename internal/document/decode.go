package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/jsontext"
	"github.com/nestsession/session/internal/recent"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"
)

// initMap makes a nil map writable, so that handlers need not.
func initMap(v reflect.Value) {
	if v.Kind() == reflect.Map && v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
}

func (c *Codec[T]) decodeValue(object []byte, dst *T) error {
	if c.copier.Dynamic && hasInexact(object) {
		d := json.NewDecoder(bytes.NewReader(object))
		d.UseNumber()
		if err := d.Decode(dst); err != nil {
			return err
		}
		if c.copier.Fix != nil {
			c.copier.Fix(reflect.ValueOf(dst).Elem()) // gives numbers their Go type; refuses nothing that was decoded
		}
	} else if err := json.Unmarshal(object, dst); err != nil {
		return err
	}
	initMap(reflect.ValueOf(dst).Elem())
	return nil
}

var errNoCookie = errors.New("no cookie member")

// Read is Decode without the cache: for who looks at many sessions once. It opens no sealed
// data; the document is then locked.
func (c *Codec[T]) Read(key string, data []byte) (*Document[T], error) {
	d := &Document[T]{entry: recent.Entry{Key: key}, Data: data}
	if err := c.read(d, nil); err != nil {
		return nil, err
	}
	return d, nil
}

// read reads d.Data. sealed, if it is not nil, is the document whose opened data these are:
// its bookkeeping is checked, and its cookie is read.
func (c *Codec[T]) read(d, sealed *Document[T]) error {
	key, data := d.entry.Key, d.Data
	space := c.space()
	defer c.reuse(space)
	p, usual := c.scan(d, (*space)[:0])
	if !usual {
		if !jsontext.Valid(data) {
			return jsontext.ErrNotJSON
		}
		var err error
		if p, err = c.takeApart(data); err != nil {
			return err
		}
		d.Cookie, d.Lifetime, d.CookieEnds, d.Meta = nil, Lifetime{}, 0, Meta{}
	}
	if p.cookie == nil {
		return errNoCookie
	}
	var err error
	if sealed != nil {
		d.Cookie, d.Lifetime, d.CookieEnds, d.Meta = sealed.Cookie, sealed.Lifetime, sealed.CookieEnds, sealed.Meta
	} else {
		if d.Cookie == nil {
			if d.Cookie, d.Lifetime, d.CookieEnds, err = c.cookies.read(p.cookie); err != nil {
				return err
			}
		}
		if p.parsed {
			d.Meta, err = c.Seal.check(key, d.Meta)
		} else if p.meta != nil {
			d.Meta, err = c.Seal.read(key, p.meta)
		}
		if err == nil {
			err = c.admit(d)
		}
		if err != nil {
			return err
		}
	}
	if usual {
		*space = p.object
		if c.fillUsual(d, &p) {
			return nil
		}
		if p, err = c.takeApart(data); err != nil {
			return err
		}
	}
	return c.fill(d, p.others)
}

// spaces are buffers for objects that are decoded.
var spaces = sync.Pool{New: func() any { return new([]byte) }}

// maxSpace is the capacity of a buffer that is kept.
const maxSpace = 16 << 10

func (c *Codec[T]) space() *[]byte {
	if !c.copier.Faithful {
		return new([]byte) // a type that decodes itself may keep what it is given
	}
	return spaces.Get().(*[]byte)
}

func (c *Codec[T]) reuse(space *[]byte) {
	if c.copier.Faithful && cap(*space) <= maxSpace {
		spaces.Put(space)
	}
}

// parts are what a document consists of; nil where there is none.
type parts struct {
	cookie, meta []byte // values

	// others are the members besides these as they stand in the data. What T has no field
	// for is not taken apart: a run of such members is one without a key.
	others []jsontext.Member

	// These are scan's.
	object []byte // of the others that T has fields for, an object
	count  int    // how many these are
	parsed bool   // the bookkeeping is read, and not checked
}

// scan checks a document and finds its parts in one pass, if it has the form that nearly all
// have: no key stands twice, and none is written with an escape. Of the others it only writes
// the object; where T is map[string]any, it decodes them.
func (c *Codec[T]) scan(d *Document[T], object []byte) (p parts, usual bool) {
	var m map[string]any
	switch {
	case c.plain:
		m = map[string]any{}
		*any(&d.Value).(*map[string]any) = m
	case c.anyKeys && !c.isMap:
		return p, false
	}
	text, next, seen := d.Data, 0, uint64(0)
	from, to := 0, 0
	together := true // the others stand as a save writes them
	open := jsontext.SkipSpace(text, 0)
	if open >= len(text) || text[open] != '{' {
		return p, false
	}
	for i := open + 1; ; i++ {
		start := jsontext.SkipSpace(text, i)
		end := jsontext.ScanPlain(text, start)
		if end < 0 {
			return p, false
		}
		key := unsafe.String(&text[start+1], end-start-2)
		value := jsontext.SkipSpace(text, end)
		if value >= len(text) || text[value] != ':' {
			return p, false
		}
		value = jsontext.SkipSpace(text, value+1)
		stop := 0
		switch key {
		case cookieKey:
			var k *knownCookie
			if k, d.Lifetime, d.CookieEnds, stop = c.cookies.find(text[value:]); stop > 0 {
				d.Cookie, stop = k.settings, value+stop
			}
		case metaKey:
			if end := d.Meta.parse(text[value:]); end > 0 {
				p.parsed, stop = true, value+end
			}
		}
		if stop == 0 {
			stop = jsontext.ScanMember(text, value)
		}
		if stop < 0 {
			return p, false
		}
		together = together && start == i
		switch key {
		case cookieKey:
			if p.cookie != nil {
				return p, false
			}
			together = together && start == open+1
			p.cookie, from, to = text[value:stop], stop, stop
		case metaKey:
			if p.meta != nil {
				return p, false
			}
			p.meta = text[value:stop]
		default:
			together = together && p.meta == nil
			if to = stop; text[from] == ',' {
				from = start
			}
			n, known := c.position(key, next)
			switch {
			case !known:
			case c.fields != nil:
				if n >= 64 || seen&(1<<n) != 0 {
					return p, false
				}
				seen, next = seen|1<<n, n+1
				object = append(append(object, ','), text[start:stop]...)
			case c.reserved[key] || !utf8.ValidString(key):
				return p, false
			case m != nil:
				if _, twice := m[key]; twice {
					return p, false
				}
				var err error
				if m[key], _, err = jsontext.ParseAny(text[:stop], value); err != nil { // what follows is not checked yet
					return p, false
				}
			default:
				p.count++
				object = append(append(object, ','), text[start:stop]...)
			}
		}
		if i = jsontext.SkipSpace(text, stop); i >= len(text) {
			return p, false
		}
		together = together && i == stop
		if text[i] == '}' {
			if p.object = append(object, '}'); len(object) > 0 {
				p.object[0] = '{'
			} else {
				p.object = append(object, "{}"...)
			}
			if together {
				d.from, d.to = from, to
			}
			return p, p.cookie != nil && jsontext.SkipSpace(text, i+1) == len(text)
		}
		if text[i] != ',' {
			return p, false
		}
	}
}

// position finds the field of a key, which is next or thereabouts. T that takes any key has
// one for each.
func (c *Codec[T]) position(key string, next int) (n int, known bool) {
	if c.fields == nil {
		return 0, true
	}
	if next < len(c.order) && c.order[next] == key {
		return next, true
	}
	if c.marks&mark(key) == 0 {
		return 0, false
	}
	n, known = c.fields[key]
	return n, known
}

// mark is one bit for a key. A look at it is enough for most keys of a large document that T does not
// have.
func mark(key string) uint64 {
	if key == "" {
		return 1
	}
	return 1 << ((3*uint(len(key)) + 5*uint(key[0]) + 7*uint(key[len(key)-1])) % 64)
}

// fillUsual decodes the value of d out of what scan has found. It reports false if that does
// not fit T, and for a map in which a key stood twice.
func (c *Codec[T]) fillUsual(d *Document[T], p *parts) bool {
	if c.plain {
		return true
	}
	if c.decodeValue(p.object, &d.Value) == nil && (!c.isMap || reflect.ValueOf(&d.Value).Elem().Len() == p.count) {
		return true
	}
	var none T
	d.Value, d.from, d.to = none, 0, 0
	return false
}

// takeApart finds the parts of data that are valid JSON, whatever their form.
func (c *Codec[T]) takeApart(data []byte) (p parts, err error) {
	others := jsontext.Set{List: make([]jsontext.Member, 0, 8)}
	var run *[]byte // what the next member that T has no field for belongs to
	err = jsontext.Each(data, func(quoted, text []byte, at int) error {
		key, err := jsontext.Unquote(quoted)
		if err != nil {
			return err
		}
		was := run
		run = nil
		switch _, known := c.position(key, 0); {
		case key == cookieKey:
			p.cookie = text[at:]
		case key == metaKey:
			p.meta = text[at:]
		case !known:
			if run = was; run != nil {
				*run = (*run)[:cap(*run)-cap(text)+len(text)]
				return nil
			}
			others.List = append(others.List, jsontext.Member{Text: text})
			run = &others.List[len(others.List)-1].Text
		case c.anyKeys && c.reserved[key]:
			// Another program's: data must not have it, so that it is not lost there.
		default:
			others.Put(jsontext.Member{Key: key, Text: text, At: at})
		}
		return nil
	})
	p.others = others.List
	return p, err
}

// others are the members of d besides cookie and meta, as in [parts].
func (c *Codec[T]) others(d *Document[T]) ([]jsontext.Member, error) {
	p, err := c.takeApart(d.text())
	return p.others, err
}

// fill decodes the value of d out of others.
func (c *Codec[T]) fill(d *Document[T], others []jsontext.Member) error {
	if m, ok := any(&d.Value).(*map[string]any); ok && c.plain {
		*m = make(map[string]any, len(others))
		for i := range others {
			v, _, err := jsontext.ParseAny(others[i].Value(), 0)
			if err != nil {
				return err
			}
			(*m)[others[i].Key] = v
		}
		return nil
	}
	known := others
	if c.fields != nil {
		known = slices.DeleteFunc(slices.Clone(others), func(m jsontext.Member) bool { return m.At == 0 })
	}
	err := c.decodeValue(jsontext.AppendObject(nil, known), &d.Value)
	if err != nil {
		return c.fillFitting(d, known, err)
	}
	return nil
}

// Misfit is a stored member that is not of its field's type.
type Misfit struct {
	key string
	Err error
}

// fillFitting decodes the members that fit T one by one, where they do not all. The
// others keep their text through each save, and their field is its zero value: while
// two versions of T are deployed side by side neither logs out the users of the other.
//
// Without the preset, a document that belongs to nobody and of which nothing fits is another
// type's altogether. Beside Node it is the other program's session in any case.
func (c *Codec[T]) fillFitting(d *Document[T], known []jsontext.Member, cause error) error {
	var none T
	fits := make([]jsontext.Member, 0, len(known))
	if reflect.PointerTo(reflect.TypeFor[T]()).Implements(clone.Unmarshaler) {
		return fitError("", cause) // it decides for itself
	}
	for _, m := range known {
		d.Value = none
		if err := c.decodeValue(jsontext.AppendObject(nil, []jsontext.Member{m}), &d.Value); err != nil {
			d.Misfits = append(d.Misfits, Misfit{m.Key, fitError(m.Key, err)})
			continue
		}
		fits = append(fits, m)
	}
	if d.Value = none; len(fits) == 0 && !c.express && d.Meta.Owner == "" {
		return d.Misfits[0].Err
	}
	return c.decodeValue(jsontext.AppendObject(nil, fits), &d.Value)
}

// fitError says which member does not fit, and to which type, without its value, which
// the errors of encoding/json and of time hold.
func fitError(key string, err error) error {
	what, at := "does not fit its type", key
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		kind, _, _ := strings.Cut(wrong.Value, " ")
		what = fmt.Sprintf("is a JSON %s and does not fit %v", kind, wrong.Type)
		if at == "" || strings.HasPrefix(wrong.Field, key+".") {
			at = wrong.Field
		}
	}
	if at == "" {
		return errors.New(what)
	}
	return fmt.Errorf("the member %q %s", at, what)
}
