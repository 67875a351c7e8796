package session

import (
	"encoding/json"
	"errors"
)

// member is one top-level member of a document: its key, and its value's text as
// it was written.
type member struct {
	key   string
	value []byte
}

var errNotObject = errors.New("not a JSON object")

// parseMembers splits a JSON object into its members, in the order in which they
// stand, without touching their text: what another program wrote goes back as it
// came. Of a key that stands twice the last counts, as in JavaScript.
func parseMembers(text []byte) ([]member, error) {
	if !json.Valid(text) {
		return nil, errors.New("not JSON")
	}
	i := skipSpace(text, 0)
	if text[i] != '{' {
		return nil, errNotObject
	}
	var members []member
	for i = skipSpace(text, i+1); text[i] != '}'; i = skipSpace(text, i) {
		end := skipValue(text, i)
		key, err := unquote(text[i:end])
		if err != nil {
			return nil, err
		}
		i = skipSpace(text, skipSpace(text, end)+1) // past the colon
		end = skipValue(text, i)
		members = put(members, member{key, text[i:end]})
		if i = skipSpace(text, end); text[i] == ',' {
			i = skipSpace(text, i+1)
		}
	}
	return members, nil
}

// put appends m, or replaces the member of its key.
func put(members []member, m member) []member {
	for i := range members {
		if members[i].key == m.key {
			members[i].value = m.value
			return members
		}
	}
	return append(members, m)
}

// find returns the value of a key, nil if there is none.
func find(members []member, key string) []byte {
	for i := range members {
		if members[i].key == key {
			return members[i].value
		}
	}
	return nil
}

// unquote reads a JSON string, mostly without a decoder.
func unquote(text []byte) (string, error) {
	for _, c := range text[1 : len(text)-1] {
		if c == '\\' || c >= 0x80 {
			var s string
			err := json.Unmarshal(text, &s)
			return s, err
		}
	}
	return string(text[1 : len(text)-1]), nil
}

// skipSpace and skipValue walk over valid JSON.
func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

func skipValue(text []byte, i int) int {
	for depth := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of the object around a number or a word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// appendObject writes members as an object.
func appendObject(dst []byte, members []member) ([]byte, error) {
	start := len(dst)
	dst, err := appendMembers(dst, members)
	if err != nil || len(dst) == start {
		return append(dst, "{}"...), err
	}
	dst[start] = '{' // in place of the first comma
	return append(dst, '}'), nil
}

// appendMembers writes members as the inside of an object, each with a comma before it.
func appendMembers(dst []byte, members []member) ([]byte, error) {
	for _, m := range members {
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		dst = append(append(append(append(dst, ','), key...), ':'), m.value...)
	}
	return dst, nil
}
