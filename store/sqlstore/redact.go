package sqlstore

import (
	"errors"
	"reflect"
	"strings"
)

// redacted is a driver's error without the parts of a row that the database puts into it:
// the id, the values that MySQL quotes, such as the duplicate key or parts of the data, and
// PostgreSQL's details, which can be the whole row.
type redacted struct {
	text  string
	part  error // what Unwrap returns
	whole error // the driver's
}

// redact removes from err the id and what else it may hold of the session with that id.
func redact(err error, id string) error {
	var own ownError
	if errors.As(err, &own) {
		return err // it holds no value of a session
	}
	r := redacted{text: mask(err, err.Error(), id), part: err, whole: err}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if clean := cleaned(e, id); clean != nil {
			r.part = clean
			break
		}
	}
	return r
}

func (r redacted) Error() string { return r.text }

// Unwrap returns a redacted copy of the database's error, since some programs report every
// part of an error. An error of another kind, such as one of the network, is returned as
// it is.
func (r redacted) Unwrap() error { return r.part }

// Is finds the driver's own error.
func (r redacted) Is(target error) bool { return errors.Is(r.whole, target) }

// cleaned is a copy of a database's error without the fields that may hold parts of a row.
// It is nil for other errors, which have no such fields.
func cleaned(err error, id string) error {
	v := reflect.ValueOf(err)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	clean := reflect.New(v.Elem().Type())
	clean.Elem().Set(v.Elem())
	text := clean.Elem().FieldByName("Message")
	if !text.IsValid() || !text.CanSet() || text.Kind() != reflect.String {
		return nil
	}
	text.SetString(mask(err, text.String(), id))
	for _, name := range []string{"Detail", "Hint", "Where", "InternalQuery"} {
		if f := clean.Elem().FieldByName(name); f.IsValid() && f.CanSet() && f.Kind() == reflect.String {
			f.SetString("")
		}
	}
	return clean.Interface().(error)
}

// mask removes the id and other values from an error's text.
func mask(err error, text, id string) string {
	if id != "" {
		text = strings.ReplaceAll(text, id, "…")
	}
	switch number(err, "Number") {
	case mysqlDuplicate, mysqlWrongString, mysqlWrongValue, mysqlWrongValueForType, mysqlOutOfRange:
		if before, _, ok := strings.Cut(text, "'"); ok {
			return before + "…"
		}
	case mysqlNoPartition:
		if before, _, ok := strings.Cut(text, " for value "); ok {
			return before + " for value …"
		}
	}
	return text
}
