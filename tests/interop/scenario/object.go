package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Member is one member of a JSON object.
type Member struct {
	Key   string
	Value json.RawMessage
}

// Object is a JSON object whose members keep their order, because among a cookie's options the
// later of maxAge and expires counts.
type Object []Member

// UnmarshalJSON reads an object and refuses a key that occurs twice.
func (o *Object) UnmarshalJSON(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	open, err := dec.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') {
		return fmt.Errorf("%s is not an object", short(text))
	}
	*o = Object{}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key := token.(string) // the decoder returns only texts as keys
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if seen[key] {
			return fmt.Errorf("%q stands twice", key)
		}
		seen[key] = true
		*o = append(*o, Member{key, value})
	}
	_, err = dec.Token()
	return err
}

// Over returns o with the members of top in place of those with the same key.
func (o Object) Over(top Object) Object {
	merged := append(Object(nil), o...)
next:
	for _, t := range top {
		for i := range merged {
			if merged[i].Key == t.Key {
				merged[i].Value = t.Value
				continue next
			}
		}
		merged = append(merged, t)
	}
	return merged
}

// fields are the members that an object may have, with the variables for their values.
type fields map[string]any

// read stores o's members in the fields, and refuses members that are not among them.
func (o Object) read(f fields) error {
	for _, m := range o {
		to, known := f[m.Key]
		if !known {
			return fmt.Errorf("unknown member %q", m.Key)
		}
		if err := strict(m.Value, to); err != nil {
			return fmt.Errorf("%s: %w", m.Key, err)
		}
	}
	return nil
}

// readObject reads an object from text.
func readObject(text []byte, f fields) error {
	var o Object
	if err := o.UnmarshalJSON(text); err != nil {
		return err
	}
	return o.read(f)
}

func (o Object) has(key string) bool {
	for _, m := range o {
		if m.Key == key {
			return true
		}
	}
	return false
}

// require returns an error that names the missing keys.
func (o Object) require(keys ...string) error {
	var errs []error
	for _, k := range keys {
		if !o.has(k) {
			errs = append(errs, fmt.Errorf("%q is missing", k))
		}
	}
	return errors.Join(errs...)
}

// strict decodes one JSON value, after which the text must end. Where the format has a text, a
// number or a flag, null is an error.
func strict(text []byte, to any) error {
	if string(bytes.TrimSpace(text)) == "null" {
		switch to.(type) {
		case *string, *bool, *int, *int64, *float64:
			return errors.New("null where there must be a value")
		}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more text after the value")
	}
	return nil
}

func short(text []byte) string {
	const most = 60
	if len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(text)
}
