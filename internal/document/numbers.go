package document

import (
	"bytes"
	"fmt"
	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/jsontext"
	"strconv"
	"strings"
)

// CheckNumbers refuses integers that Node would read as others and write back so: it
// holds numbers as float64. What this save does not change is not its fault.
func (c *Codec[T]) CheckNumbers(base *Document[T], is []byte) error {
	if !c.express || !hasLongNumber(is) {
		return nil
	}
	was, err := c.Encoding(base)
	if err != nil {
		return err
	}
	old, err := jsontext.Split(was)
	if err != nil {
		return err
	}
	now, err := jsontext.Split(is)
	if err != nil {
		return err
	}
	before := jsontext.Indexed(old)
	for i := range now {
		if m := &now[i]; !bytes.Equal(before.Get(m.Key), m.Value()) {
			if f, _ := findInexact(m.Value(), 0); f != nil {
				return f.Under(clone.Step(m.Key)).Err()
			}
		}
	}
	return nil
}

// hasLongNumber reports whether there may be an integer from 2^53 on in a text: 16
// digits in a row.
func hasLongNumber(text []byte) bool {
	digits := 0
	for _, b := range text {
		if b < '0' || b > '9' {
			digits = 0
		} else if digits++; digits == len("9007199254740992") {
			return true
		}
	}
	return false
}

// hasInexact reports whether a text, which is valid JSON or none, may have a number that a
// float64 does not hold: one of many digits, or with an exponent.
func hasInexact(text []byte) bool {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			if i = jsontext.ScanText(text, i); i < 0 {
				return true
			}
		case '0' <= c && c <= '9':
			from := i
			for i < len(text) && '0' <= text[i] && text[i] <= '9' {
				i++
			}
			if i-from >= len("9007199254740992") || i < len(text) && text[i]|0x20 == 'e' {
				return true
			}
		default:
			i++
		}
	}
	return false
}

// findInexact walks over the value at text[i], which is valid JSON.
func findInexact(text []byte, i int) (f *clone.Fault, end int) {
	switch text[i] {
	case '"':
		return nil, jsontext.SkipText(text, i)
	case '{':
		for i = jsontext.SkipSpace(text, i+1); text[i] != '}'; i = jsontext.SkipComma(text, i) {
			end := jsontext.SkipText(text, i)
			key, err := jsontext.Unquote(text[i:end])
			if f, i = findInexact(text, jsontext.SkipSpace(text, jsontext.SkipSpace(text, end)+1)); f != nil && err == nil {
				return f.Under(clone.Step(key)), i
			}
		}
		return nil, i + 1
	case '[':
		i = jsontext.SkipSpace(text, i+1)
		for n := 0; text[i] != ']'; n++ {
			if f, i = findInexact(text, i); f != nil {
				return f.Under(clone.Index(n)), i
			}
			i = jsontext.SkipComma(text, i)
		}
		return nil, i + 1
	}
	end = jsontext.SkipValue(text, i)
	if number := string(text[i:end]); len(number) >= len("9007199254740993") && !strings.ContainsAny(number, ".eE") {
		held, err := strconv.ParseFloat(number, 64)
		if err != nil || strconv.FormatFloat(held, 'f', -1, 64) != number {
			return &clone.Fault{Why: fmt.Sprintf("is an integer that Node cannot hold (2^53 is %d) and would read as another; store it as text, with the tag `json:\",string\"`", int64(jsontext.MaxExact))}, end
		}
	}
	return nil, end
}
