package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/jsontext"
	"reflect"
	"strings"
)

// initMap makes a nil map writable, so that handlers need not.
func initMap(v reflect.Value) {
	if v.Kind() == reflect.Map && v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
}

func (c *Codec[T]) decodeValue(object []byte, dst *T) error {
	if !c.copier.Dynamic {
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
	if c.copier.Fix != nil {
		c.copier.Fix(v) // gives numbers their Go type; refuses nothing that was decoded
	}
	initMap(v)
	return nil
}

var errNoCookie = errors.New("no cookie member")

// Decode reads a record's data for a request. The result comes from the cache if the
// text is what it was the last time.
func (c *Codec[T]) Decode(key string, data []byte) (*Document[T], error) {
	if d := c.cache.get(key, data); d != nil {
		return d, nil
	}
	d, err := c.Read(key, data)
	if err == nil {
		c.cache.put(d)
	}
	return d, err
}

// Read is decode without the cache: for who looks at many sessions once.
func (c *Codec[T]) Read(key string, data []byte) (*Document[T], error) {
	if !json.Valid(data) {
		return nil, jsontext.ErrNotJSON
	}
	d := &Document[T]{key: key, Data: data}
	cookie, meta, err := c.takeApart(d)
	if err != nil {
		return nil, err
	}
	if cookie == nil {
		return nil, errNoCookie
	}
	if d.Cookie, d.Lifetime, err = c.parse(cookie); err != nil {
		return nil, err
	}
	if meta != nil {
		if d.Meta, err = c.Seal.read(key, meta); err != nil {
			return nil, err
		}
	}
	return d, c.fill(d)
}

// takeApart finds the others of d in its data, and returns the values of the members
// that are not the data's, nil where there is none.
func (c *Codec[T]) takeApart(d *Document[T]) (cookie, meta []byte, err error) {
	others := jsontext.Set{List: make([]jsontext.Member, 0, 8)}
	var run *[]byte // what the next member that T has no field for belongs to
	err = jsontext.Each(d.Data, func(quoted, text []byte, at int) error {
		key, err := jsontext.Unquote(quoted)
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
			others.List = append(others.List, jsontext.Member{Text: text})
			run = &others.List[len(others.List)-1].Text
		case c.anyKeys && c.reserved[key]:
			// Another program's: data must not have it, so that it is not lost there.
		case c.anyKeys:
			others.List = append(others.List, jsontext.Member{Key: key, Text: text, At: at}) // fill looks for pairs
		default:
			others.Put(jsontext.Member{Key: key, Text: text, At: at})
		}
		return nil
	})
	d.others = others.List
	return cookie, meta, err
}

// fill decodes the value of d out of its others.
func (c *Codec[T]) fill(d *Document[T]) error {
	if m, ok := any(&d.Value).(*map[string]any); ok && c.plain {
		*m = make(map[string]any, len(d.others))
		for i := range d.others {
			v, _, err := jsontext.ParseAny(d.others[i].Value(), 0)
			if err != nil {
				return err
			}
			(*m)[d.others[i].Key] = v
		}
	} else if err := c.decodeValue(jsontext.AppendObject(nil, c.known(d)), &d.Value); err != nil {
		if err = c.fillFitting(d, err); err != nil {
			return err
		}
	}
	if !c.anyKeys {
		return nil
	}
	if !c.isMap || reflect.ValueOf(&d.Value).Elem().Len() != len(d.others) {
		last := jsontext.Set{List: make([]jsontext.Member, 0, len(d.others))}
		for _, m := range d.others {
			last.Put(m)
		}
		d.others = last.List
	}
	return nil
}

// known are the members of d that T decodes.
func (c *Codec[T]) known(d *Document[T]) []jsontext.Member {
	if c.anyKeys {
		return d.others
	}
	known := make([]jsontext.Member, 0, len(d.others))
	for _, m := range d.others {
		if m.At > 0 {
			known = append(known, m)
		}
	}
	return known
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
// Natively, a document that belongs to nobody and of which nothing fits is another
// type's altogether. Beside Node it is the other program's session in any case.
func (c *Codec[T]) fillFitting(d *Document[T], cause error) error {
	var none T
	known := c.known(d)
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
