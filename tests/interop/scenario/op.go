package scenario

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Op is one operation of a handler, or one on the store before a request.
type Op struct {
	Kind    string
	Key     string        // set, get, delete, incr, push
	Value   any           // set, setIn, push; setMaxAge: float64, false or nil
	Path    []any         // setIn: texts and whole numbers (float64)
	Cookie  CookieOptions // setCookie
	Code    int           // status, writeHead; redirect: 302 unless given
	Name    string        // header, addHeader
	Values  []string      // header, addHeader
	Headers []Header      // writeHead, earlyHints
	Body    string        // write, end
	To      string        // redirect
	Message string        // fail
	Ms      float64       // advance
	Step    *Step         // nested
	ID      IDRef         // storePut, storePatch, storeRemove
	Doc     map[string]any
	Set     map[string]any // storePatch
	Unset   []string       // storePatch
}

// IDRef names a session's id. Exactly one of the fields is set.
type IDRef struct {
	Literal *string
	Jar     string // the cookie of that name in the client's jar
	Self    bool   // this request's session, also after it was destroyed
}

// shape lists the members that an operation has besides op.
type shape struct {
	must, may []string
}

// shapes has the shape of every operation of the format.
var shapes = map[string]shape{
	"set":    {must: []string{"key", "value"}},
	"get":    {must: []string{"key"}},
	"delete": {must: []string{"key"}},
	"keys":   {},
	"incr":   {must: []string{"key"}},
	"setIn":  {must: []string{"path", "value"}},
	"push":   {must: []string{"key", "value"}},

	"id": {}, "has": {}, "cookie": {}, "touch": {}, "regenerate": {}, "destroy": {},
	"reload": {}, "save": {}, "unset": {},
	"setMaxAge": {must: []string{"value"}},
	"setCookie": {must: []string{"set"}},

	"status":     {must: []string{"code"}},
	"header":     {must: []string{"name", "value"}},
	"addHeader":  {must: []string{"name", "value"}},
	"writeHead":  {must: []string{"code"}, may: []string{"headers"}},
	"flush":      {},
	"earlyHints": {must: []string{"headers"}},
	"write":      {must: []string{"body"}},
	"end":        {may: []string{"body"}},
	"redirect":   {must: []string{"to"}, may: []string{"code"}},
	"fail":       {must: []string{"message"}},

	"advance": {must: []string{"ms"}},
	"nested":  {must: []string{"step"}},

	"storePut":        {must: []string{"id", "doc"}},
	"storePatch":      {must: []string{"id"}, may: []string{"set", "unset"}},
	"storeRemove":     {must: []string{"id"}},
	"storeClear":      {},
	"storeDisconnect": {},
	"storeConnect":    {},
}

// onStore reports whether the operation changes a store directly, without an observed call.
func (op *Op) onStore() bool {
	switch op.Kind {
	case "storePut", "storePatch", "storeRemove", "storeClear", "storeDisconnect", "storeConnect":
		return true
	}
	return false
}

// UnmarshalJSON reads an operation.
func (op *Op) UnmarshalJSON(text []byte) error {
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	if err := all.require("op"); err != nil {
		return err
	}
	f := fields{"op": &op.Kind}
	for _, m := range all {
		if m.Key == "op" {
			if err := strict(m.Value, &op.Kind); err != nil {
				return err
			}
		}
	}
	s, known := shapes[op.Kind]
	if !known {
		return fmt.Errorf("unknown operation %q", op.Kind)
	}
	for _, key := range append(append([]string(nil), s.must...), s.may...) {
		f[key] = op.place(key)
	}
	op.Code = map[string]int{"redirect": 302}[op.Kind]
	if err := errors.Join(all.read(f), all.require(s.must...)); err != nil {
		return fmt.Errorf("operation %q: %w", op.Kind, err)
	}
	return nil
}

// place returns the variable for the value of a member, which may depend on the kind of operation.
func (op *Op) place(key string) any {
	switch key {
	case "key":
		return &op.Key
	case "value":
		switch op.Kind {
		case "header", "addHeader":
			return (*texts)(&op.Values)
		case "setMaxAge":
			return &maxAge{&op.Value}
		}
		return &op.Value
	case "path":
		return (*dataPath)(&op.Path)
	case "set":
		if op.Kind == "setCookie" {
			return &op.Cookie
		}
		return &op.Set
	case "unset":
		return &op.Unset
	case "code":
		return &op.Code
	case "name":
		return &op.Name
	case "headers":
		return (*headerList)(&op.Headers)
	case "body":
		return &op.Body
	case "to":
		return &op.To
	case "message":
		return &op.Message
	case "ms":
		return &op.Ms
	case "step":
		op.Step = new(Step)
		return op.Step
	case "id":
		return &op.ID
	case "doc":
		return &op.Doc
	}
	panic("scenario: operation with a member that has no place: " + key)
}

// UnmarshalJSON reads {"literal":...}, {"jar":...} or {"self":true}.
func (r *IDRef) UnmarshalJSON(text []byte) error {
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	err := all.read(fields{"literal": &r.Literal, "jar": &r.Jar, "self": &r.Self})
	if err == nil && (len(all) != 1 || r.Literal == nil && r.Jar == "" && !r.Self) {
		err = fmt.Errorf("%s names no id", text)
	}
	return err
}

type texts []string

func (t *texts) UnmarshalJSON(text []byte) (err error) {
	*t, err = readTexts(text)
	return err
}

type headerList []Header

func (h *headerList) UnmarshalJSON(text []byte) error {
	var all Object
	err := all.UnmarshalJSON(text)
	if err == nil {
		*h, err = readHeaders(all)
	}
	return err
}

// maxAge is a number, false or null.
type maxAge struct{ to *any }

func (m *maxAge) UnmarshalJSON(text []byte) error {
	v, err := readSetting(text)
	if err == nil && v != nil && !cookieTypes["maxAge"](v) {
		err = fmt.Errorf("maxAge cannot be %s", text)
	}
	*m.to = v
	return err
}

// dataPath is the path to a member within a nested value.
type dataPath []any

func (p *dataPath) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if err := strict(text, &list); err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("an empty path")
	}
	for _, element := range list {
		var v any
		if err := strict(element, &v); err != nil {
			return err
		}
		switch v.(type) {
		case string, float64:
			*p = append(*p, v)
		default:
			return fmt.Errorf("%s in a path is neither a key nor an index", element)
		}
	}
	return nil
}
