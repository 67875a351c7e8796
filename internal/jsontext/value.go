package jsontext

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// A session whose data are a map[string]any is decoded and encoded here: the document
// was checked and taken apart already, and encoding/json would do both again and
// take each value through reflection.

// ParseAny reads one value of JSON that is known to be valid, as the data of a map
// session have it, and returns where it ends.
func ParseAny(text []byte, i int) (any, int, error) {
	switch text[i] {
	case '"':
		end := SkipText(text, i)
		s, err := Unquote(text[i:end])
		return s, end, err
	case '{':
		m := map[string]any{}
		for i = SkipSpace(text, i+1); text[i] != '}'; {
			end := SkipText(text, i)
			key, err := Unquote(text[i:end])
			if err != nil {
				return nil, i, err
			}
			if m[key], i, err = ParseAny(text, SkipSpace(text, SkipSpace(text, end)+1)); err != nil {
				return nil, i, err
			}
			i = SkipComma(text, i)
		}
		return m, i + 1, nil
	case '[':
		a := []any{}
		for i = SkipSpace(text, i+1); text[i] != ']'; {
			v, end, err := ParseAny(text, i)
			if err != nil {
				return nil, i, err
			}
			a, i = append(a, v), SkipComma(text, end)
		}
		return a, i + 1, nil
	case 't':
		return true, i + len("true"), nil
	case 'f':
		return false, i + len("false"), nil
	case 'n':
		return nil, i + len("null"), nil
	}
	end := SkipValue(text, i)
	return number(json.Number(text[i:end])), end, nil
}

func SkipComma(text []byte, i int) int {
	if i = SkipSpace(text, i); text[i] == ',' {
		i = SkipSpace(text, i+1)
	}
	return i
}

// DecodeAny reads a JSON value as the data of a map session have it.
func DecodeAny(text []byte) any {
	v, _, err := ParseAny(text, SkipSpace(text, 0))
	if err != nil {
		return nil
	}
	return v
}

// appendAny writes a value as encoding/json does, which is asked for what decoding
// never gives.
func appendAny(dst []byte, value any, room int) ([]byte, error) {
	if room == 0 {
		return AppendAny(dst, value) // a circle: encoding/json says so
	}
	var err error
	switch v := value.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return appendText(dst, v)
	case float64:
		return appendFloat(dst, v)
	case map[string]any:
		return AppendMap(dst, v, room)
	case []any:
		if v == nil {
			return append(dst, "null"...), nil
		}
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendAny(dst, e, room-1); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	}
	return AppendAny(dst, value)
}

func AppendMap(dst []byte, m map[string]any, room int) ([]byte, error) {
	if m == nil {
		return append(dst, "null"...), nil
	}
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendText(dst, key); err != nil {
			return nil, err
		}
		if dst, err = appendAny(append(dst, ':'), m[key], room-1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendText(dst []byte, s string) ([]byte, error) {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == '"' || c == '\\' {
			return AppendAny(dst, s)
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && (!utf8.ValidString(s) || strings.ContainsAny(s, "\u2028\u2029")) {
		return AppendAny(dst, s)
	}
	return append(append(append(dst, '"'), s...), '"'), nil
}

func appendFloat(dst []byte, f float64) ([]byte, error) {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 && (f != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, int64(f), 10), nil
	}
	return AppendAny(dst, f)
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.json = json.NewEncoder(&e.text)
	e.json.SetEscapeHTML(false) // the text is for stores and Node, not for a page
	return e
}}

type encoder struct {
	text bytes.Buffer
	json *json.Encoder
}

func AppendAny(dst []byte, value any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.text.Reset()
	if err := e.json.Encode(value); err != nil {
		return nil, err
	}
	return append(dst, bytes.TrimSpace(e.text.Bytes())...), nil
}
