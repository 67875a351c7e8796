package session

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// checkNumbers refuses integers that Node would read as others and write back so: it
// holds numbers as float64. What this save does not change is not its fault.
func (c *codec[T]) checkNumbers(was, is []byte) error {
	if !c.express || !hasLongNumber(is) {
		return nil
	}
	old, err := splitMembers(was)
	if err != nil {
		return err
	}
	now, err := splitMembers(is)
	if err != nil {
		return err
	}
	before := indexed(old)
	for i := range now {
		if m := &now[i]; !bytes.Equal(before.get(m.key), m.value()) {
			if f, _ := findInexact(m.value(), 0); f != nil {
				return f.under(step(m.key)).error()
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

// findInexact walks over the value at text[i], which is valid JSON.
func findInexact(text []byte, i int) (f *fault, end int) {
	switch text[i] {
	case '"':
		return nil, skipText(text, i)
	case '{':
		for i = skipSpace(text, i+1); text[i] != '}'; i = skipComma(text, i) {
			end := skipText(text, i)
			key, err := unquote(text[i:end])
			if f, i = findInexact(text, skipSpace(text, skipSpace(text, end)+1)); f != nil && err == nil {
				return f.under(step(key)), i
			}
		}
		return nil, i + 1
	case '[':
		i = skipSpace(text, i+1)
		for n := 0; text[i] != ']'; n++ {
			if f, i = findInexact(text, i); f != nil {
				return f.under(index(n)), i
			}
			i = skipComma(text, i)
		}
		return nil, i + 1
	}
	end = skipValue(text, i)
	if number := string(text[i:end]); len(number) >= len("9007199254740993") && !strings.ContainsAny(number, ".eE") {
		held, err := strconv.ParseFloat(number, 64)
		if err != nil || strconv.FormatFloat(held, 'f', -1, 64) != number {
			return &fault{why: fmt.Sprintf("is an integer that Node cannot hold (2^53 is %d) and would read as another; store it as text, with the tag `json:\",string\"`", int64(maxExact))}, end
		}
	}
	return nil, end
}
