package sqlstore

import (
	"errors"
	"reflect"
	"strings"
)

// redacted is an error of a driver without what the database puts into it of a row: the
// id, the values that MySQL quotes, such as the duplicate key or parts of the data, and
// PostgreSQL's details, which can be the whole row.
type redacted struct {
	text  string
	part  error // what Unwrap shows
	whole error // the driver's
}

// redact takes out of err what tells of the session kept under id.
func redact(err error, id string) error {
	var own ownError
	if errors.As(err, &own) {
		return err // this package's, which holds nothing of a session
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

// Unwrap returns a copy of the database's error that tells as little, since there are
// those who report an error in all its parts, and others as they are: one of the network,
// for example.
func (r redacted) Unwrap() error { return r.part }

// Is finds the driver's own error.
func (r redacted) Is(target error) bool { return errors.Is(r.whole, target) }

// cleaned is a copy of a database's error without what tells of a row. It is nil for
// others, which have no such fields.
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

// mask takes the id and values out of an error's text.
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
