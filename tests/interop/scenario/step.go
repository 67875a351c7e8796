package scenario

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Step is one request.
type Step struct {
	Method, Path string // the path, as it is in the request line
	Cookies      Cookies
	Client       string // the client, with a cookie jar
	Variant      string // the server; "" for the first
	TLS          bool
	Headers      []Header
	Advance      time.Duration // of the clock, before Before
	Before       []Op          // on the store
	Faults       []Fault
	Handler      []Op
}

// DefaultClient is the client of a step by default.
const DefaultClient = "main"

// TargetPath returns the path in the target of a request, which may be a whole URL (RFC 9112,
// section 3.2.2). Express uses only the path, too.
func TargetPath(target string) string {
	path, _, _ := strings.Cut(target, "?")
	if strings.HasPrefix(path, "/") {
		return path
	}
	if _, rest, absolute := strings.Cut(path, "://"); absolute {
		_, path, _ = strings.Cut(rest, "/")
		return "/" + path
	}
	return path
}

// Header is a field of a request or response, with one or several lines.
type Header struct {
	Name   string
	Values []string
}

// Cookies are the Cookie lines of a request.
type Cookies struct {
	Jar   bool     // all cookies of the client's jar
	Lines [][]Part // one Cookie line each
}

// Fault makes a call of the store fail during a step.
type Fault struct {
	Call  string // get, set, touch or destroy
	Error string // the message
	Code  string // "ENOENT" means "not there"
	Skip  int    // how many calls succeed first
}

// NotThere is the code of a fault that means "no such session".
const NotThere = "ENOENT"

// UnmarshalJSON reads a step.
func (s *Step) UnmarshalJSON(text []byte) error {
	s.Client = DefaultClient
	var advance float64
	var headers Object
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	err := all.read(fields{
		"method": &s.Method, "path": &s.Path, "cookies": &s.Cookies, "client": &s.Client,
		"variant": &s.Variant, "tls": &s.TLS, "headers": &headers, "advance": &advance,
		"before": &s.Before, "faults": &s.Faults, "handler": &s.Handler,
	})
	if err == nil {
		err = all.require("method", "path", "cookies", "handler")
	}
	if err == nil {
		s.Headers, err = readHeaders(headers)
	}
	for i, op := range s.Before {
		if err == nil && !op.onStore() {
			err = fmt.Errorf("before[%d]: %q does nothing to a store", i, op.Kind)
		}
	}
	s.Advance = Milliseconds(advance)
	return err
}

func readHeaders(o Object) ([]Header, error) {
	var headers []Header
	for _, m := range o {
		values, err := readTexts(m.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Key, err)
		}
		headers = append(headers, Header{m.Key, values})
	}
	return headers, nil
}

// readTexts reads a text or a list of texts.
func readTexts(text json.RawMessage) ([]string, error) {
	if text[0] == '[' {
		var many []string
		err := strict(text, &many)
		return many, err
	}
	var one string
	err := strict(text, &one)
	return []string{one}, err
}

// UnmarshalJSON reads "none", "jar" or {"lines":...}.
func (c *Cookies) UnmarshalJSON(text []byte) error {
	if text[0] == '{' {
		return readObject(text, fields{"lines": &c.Lines})
	}
	var word string
	if err := strict(text, &word); err != nil {
		return err
	}
	switch word {
	case "jar":
		c.Jar = true
	case "none":
	default:
		return fmt.Errorf("cookies are %q, neither none nor jar", word)
	}
	return nil
}

// UnmarshalJSON reads a fault.
func (f *Fault) UnmarshalJSON(text []byte) error {
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	err := all.read(fields{"call": &f.Call, "error": &f.Error, "code": &f.Code, "skip": &f.Skip})
	if err == nil {
		err = all.require("call", "error")
	}
	if err != nil {
		return err
	}
	switch f.Call {
	case "get", "set", "touch", "destroy":
		return nil
	}
	return fmt.Errorf("no call %q of a store", f.Call)
}
