package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// initMap makes a nil map writable, so that handlers need not.
func initMap(v reflect.Value) {
	if v.Kind() == reflect.Map && v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
}

func (c *codec[T]) decodeValue(object []byte, dst *T) error {
	if !c.copier.dynamic {
		if err := json.Unmarshal(object, dst); err != nil {
			return err
		}
		initMap(reflect.ValueOf(dst).Elem())
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	if err := d.Decode(dst); err != nil {
		return err
	}
	v := reflect.ValueOf(dst).Elem()
	if c.copier.fix != nil {
		c.copier.fix(v) // gives numbers their Go type; refuses nothing that was decoded
	}
	initMap(v)
	return nil
}

var errNoCookie = errors.New("no cookie member")

// decode reads a record's data for a request. The result comes from the cache if the
// text is what it was the last time.
func (c *codec[T]) decode(key string, data []byte) (*document[T], error) {
	if d := c.cache.get(key, data); d != nil {
		return d, nil
	}
	d, err := c.read(key, data)
	if err == nil {
		c.cache.put(d)
	}
	return d, err
}

// read is decode without the cache: for who looks at many sessions once.
func (c *codec[T]) read(key string, data []byte) (*document[T], error) {
	if !json.Valid(data) {
		return nil, errNotJSON
	}
	d := &document[T]{key: key, data: data}
	cookie, meta, err := c.takeApart(d)
	if err != nil {
		return nil, err
	}
	if cookie == nil {
		return nil, errNoCookie
	}
	if d.cookie, d.lifetime, err = c.parse(cookie); err != nil {
		return nil, err
	}
	if meta != nil {
		if d.meta, err = c.seal.read(key, meta); err != nil {
			return nil, err
		}
	}
	return d, c.fill(d)
}

// takeApart finds the others of d in its data, and returns the values of the members
// that are not the data's, nil where there is none.
func (c *codec[T]) takeApart(d *document[T]) (cookie, meta []byte, err error) {
	others := memberSet{list: make([]member, 0, 8)}
	var run *[]byte // what the next member that T has no field for belongs to
	err = eachMember(d.data, func(quoted, text []byte, at int) error {
		key, err := unquote(quoted)
		if err != nil {
			return err
		}
		was := run
		run = nil
		switch {
		case key == cookieKey:
			cookie = text[at:]
		case key == metaKey:
			meta = text[at:]
		case c.fields != nil && !c.fields[key]:
			if run = was; run != nil {
				*run = (*run)[:cap(*run)-cap(text)+len(text)]
				return nil
			}
			others.list = append(others.list, member{text: text})
			run = &others.list[len(others.list)-1].text
		case c.anyKeys && c.reserved[key]:
			// Another program's: data must not have it, so that it is not lost there.
		case c.anyKeys:
			others.list = append(others.list, member{key, text, at}) // fill looks for pairs
		default:
			others.put(member{key, text, at})
		}
		return nil
	})
	d.others = others.list
	return cookie, meta, err
}

// fill decodes the value of d out of its others.
func (c *codec[T]) fill(d *document[T]) error {
	if m, ok := any(&d.value).(*map[string]any); ok && c.plain {
		*m = make(map[string]any, len(d.others))
		for i := range d.others {
			v, _, err := parseAny(d.others[i].value(), 0)
			if err != nil {
				return err
			}
			(*m)[d.others[i].key] = v
		}
	} else if err := c.decodeValue(appendObject(nil, c.known(d)), &d.value); err != nil {
		if err = c.fillFitting(d, err); err != nil {
			return err
		}
	}
	if !c.anyKeys {
		return nil
	}
	if !c.isMap || reflect.ValueOf(&d.value).Elem().Len() != len(d.others) {
		last := memberSet{list: make([]member, 0, len(d.others))}
		for _, m := range d.others {
			last.put(m)
		}
		d.others = last.list
	}
	return nil
}

// known are the members of d that T decodes.
func (c *codec[T]) known(d *document[T]) []member {
	if c.anyKeys {
		return d.others
	}
	known := make([]member, 0, len(d.others))
	for _, m := range d.others {
		if m.at > 0 {
			known = append(known, m)
		}
	}
	return known
}

// misfit is a stored member that is not of its field's type.
type misfit struct {
	key string
	err error
}

// fillFitting decodes the members that fit T one by one, where they do not all. The
// others keep their text through each save, and their field is its zero value: while
// two versions of T are deployed side by side neither logs out the users of the other.
//
// Natively, a document that belongs to nobody and of which nothing fits is another
// type's altogether. Beside Node it is the other program's session in any case.
func (c *codec[T]) fillFitting(d *document[T], cause error) error {
	var none T
	known := c.known(d)
	fits := make([]member, 0, len(known))
	if reflect.PointerTo(reflect.TypeFor[T]()).Implements(unmarshaler) {
		return fitError("", cause) // it decides for itself
	}
	for _, m := range known {
		d.value = none
		if err := c.decodeValue(appendObject(nil, []member{m}), &d.value); err != nil {
			d.misfits = append(d.misfits, misfit{m.key, fitError(m.key, err)})
			continue
		}
		fits = append(fits, m)
	}
	if d.value = none; len(fits) == 0 && !c.express && d.meta.Owner == "" {
		return d.misfits[0].err
	}
	return c.decodeValue(appendObject(nil, fits), &d.value)
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
