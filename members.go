package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
	"unsafe"
)

// member is one top-level member of a document: its key, and its text as it was
// written, from the key's first quote to the value's end.
type member struct {
	key  string
	text []byte
	at   int // where the value begins in text
}

func (m *member) value() []byte { return m.text[m.at:] }

var (
	errNotJSON   = errors.New("not JSON")
	errNotObject = errors.New("not a JSON object")
)

// eachMember walks over the members of an object of which it is known that it is
// valid JSON: quoted is the key as it is written, and the value begins at text[at].
func eachMember(object []byte, visit func(quoted, text []byte, at int) error) error {
	i := skipSpace(object, 0)
	if object[i] != '{' {
		return errNotObject
	}
	for i = skipSpace(object, i+1); object[i] != '}'; i = skipSpace(object, i) {
		key := i
		end := skipText(object, i)
		value := skipSpace(object, skipSpace(object, end)+1) // past the colon
		i = skipValue(object, value)
		if err := visit(object[key:end], object[key:i], value-key); err != nil {
			return err
		}
		if i = skipSpace(object, i); object[i] == ',' {
			i++
		}
	}
	return nil
}

// parseMembers splits a JSON object into its members, in the order in which they
// stand, without touching their text: what another program wrote goes back as it
// came. Of a key that stands twice the last counts, as in JavaScript.
func parseMembers(text []byte) ([]member, error) {
	if !json.Valid(text) {
		return nil, errNotJSON
	}
	return splitMembers(text)
}

// splitMembers is parseMembers of text that is known to be valid.
func splitMembers(text []byte) ([]member, error) {
	all := memberSet{list: make([]member, 0, 8)}
	err := eachMember(text, func(quoted, text []byte, at int) error {
		key, err := unquote(quoted)
		if err == nil {
			all.put(member{key, text, at})
		}
		return err
	})
	return all.list, err
}

// fewMembers is up to how many members are looked at one by one. Who can make keys in
// a session makes thousands of them: then a map finds them.
const fewMembers = 16

// memberSet is a list of members in which each can be found by its key.
type memberSet struct {
	list []member
	at   map[string]int // nil as long as they are few
}

func indexed(members []member) memberSet {
	s := memberSet{list: members}
	if len(members) > fewMembers {
		s.index()
	}
	return s
}

func (s *memberSet) index() {
	s.at = make(map[string]int, 2*len(s.list))
	for i := range s.list {
		s.at[s.list[i].key] = i
	}
}

// find returns where the member of a key is, -1 if there is none.
func (s *memberSet) find(key string) int {
	if s.at != nil {
		if i, ok := s.at[key]; ok {
			return i
		}
		return -1
	}
	for i := range s.list {
		if s.list[i].key == key {
			return i
		}
	}
	return -1
}

// get returns the value of a key, nil if there is none.
func (s *memberSet) get(key string) []byte {
	if i := s.find(key); i >= 0 {
		return s.list[i].value()
	}
	return nil
}

// put appends m, or puts it in the place of the member of its key.
func (s *memberSet) put(m member) {
	if i := s.find(m.key); i >= 0 {
		s.list[i] = m
		return
	}
	s.list = append(s.list, m)
	if s.at != nil {
		s.at[m.key] = len(s.list) - 1
	} else if len(s.list) > fewMembers {
		s.index()
	}
}

// memberOf returns the value of a key of an object without looking closer at the
// others; nil if there is none, or text is no object.
func memberOf(text []byte, key string) []byte {
	if !json.Valid(text) {
		return nil
	}
	var value []byte
	err := eachMember(text, func(quoted, text []byte, at int) error {
		same := string(quoted[1:len(quoted)-1]) == key
		if !same && bytes.IndexByte(quoted, '\\') >= 0 {
			k, err := unquote(quoted)
			same = err == nil && k == key
		}
		if same {
			value = text[at:]
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return value
}

// unquote reads a JSON string, mostly without a decoder. Then it shares the document's
// memory, which nobody writes to: a session of many keys would else be copied in as
// many pieces.
func unquote(text []byte) (string, error) {
	inside := text[1 : len(text)-1]
	if bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside) {
		return unsafe.String(unsafe.SliceData(inside), len(inside)), nil
	}
	var s string
	err := json.Unmarshal(text, &s)
	return s, err
}

// skipSpace, skipText and skipValue walk over valid JSON.
func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

func skipText(text []byte, i int) int {
	for i++; ; i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
}

func skipValue(text []byte, i int) int {
	for depth := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			end := skipText(text, i)
			if depth == 0 {
				return end
			}
			i = end - 1
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
func appendObject(dst []byte, members []member) []byte {
	start := len(dst)
	dst = appendMembers(dst, members)
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{' // in place of the first comma
	return append(dst, '}')
}

// appendMembers writes members as the inside of an object, each with a comma before it.
func appendMembers(dst []byte, members []member) []byte {
	for i := range members {
		dst = append(append(dst, ','), members[i].text...)
	}
	return dst
}
