package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
	"unsafe"
)

// Member is one top-level member of a document: its key, and its text as it was
// written, from the key's first quote to the value's end.
type Member struct {
	Key  string
	Text []byte
	At   int // where the value begins in text
}

func (m *Member) Value() []byte { return m.Text[m.At:] }

var (
	ErrNotJSON   = errors.New("not JSON")
	errNotObject = errors.New("not a JSON object")
)

// Each walks over the members of an object of which it is known that it is
// valid JSON: quoted is the key as it is written, and the value begins at text[at].
func Each(object []byte, visit func(quoted, text []byte, at int) error) error {
	i := SkipSpace(object, 0)
	if object[i] != '{' {
		return errNotObject
	}
	for i = SkipSpace(object, i+1); object[i] != '}'; i = SkipSpace(object, i) {
		key := i
		end := SkipText(object, i)
		value := SkipSpace(object, SkipSpace(object, end)+1) // past the colon
		i = SkipValue(object, value)
		if err := visit(object[key:end], object[key:i], value-key); err != nil {
			return err
		}
		if i = SkipSpace(object, i); object[i] == ',' {
			i++
		}
	}
	return nil
}

// Parse splits a JSON object into its members, in the order in which they
// stand, without touching their text: what another program wrote goes back as it
// came. Of a key that stands twice the last counts, as in JavaScript.
func Parse(text []byte) ([]Member, error) {
	if !Valid(text) {
		return nil, ErrNotJSON
	}
	return Split(text)
}

// Split is parseMembers of text that is known to be valid.
func Split(text []byte) ([]Member, error) {
	all := Set{List: make([]Member, 0, 8)}
	err := Each(text, func(quoted, text []byte, at int) error {
		key, err := Unquote(quoted)
		if err == nil {
			all.Put(Member{key, text, at})
		}
		return err
	})
	return all.List, err
}

// FewMembers is up to how many members are compared one by one. An attacker who can
// make keys in a session makes thousands of them: then a map finds them.
const FewMembers = 16

// Set is a list of members in which each can be found by its key.
type Set struct {
	List []Member
	At   map[string]int // nil as long as they are few
}

func Indexed(members []Member) Set {
	s := Set{List: members}
	if len(members) > FewMembers {
		s.index()
	}
	return s
}

func (s *Set) index() {
	s.At = make(map[string]int, 2*len(s.List))
	for i := range s.List {
		s.At[s.List[i].Key] = i
	}
}

// Find returns where the member of a key is, -1 if there is none.
func (s *Set) Find(key string) int {
	if s.At != nil {
		if i, ok := s.At[key]; ok {
			return i
		}
		return -1
	}
	for i := range s.List {
		if s.List[i].Key == key {
			return i
		}
	}
	return -1
}

// Get returns the value of a key, nil if there is none.
func (s *Set) Get(key string) []byte {
	if i := s.Find(key); i >= 0 {
		return s.List[i].Value()
	}
	return nil
}

// Put appends m, or puts it in the place of the member of its key.
func (s *Set) Put(m Member) {
	if i := s.Find(m.Key); i >= 0 {
		s.List[i] = m
		return
	}
	s.List = append(s.List, m)
	if s.At != nil {
		s.At[m.Key] = len(s.List) - 1
	} else if len(s.List) > FewMembers {
		s.index()
	}
}

// Find returns the value of a key of an object without looking closer at the
// others; nil if there is none, or text is no object.
func Find(text []byte, key string) []byte {
	if !Valid(text) {
		return nil
	}
	var value []byte
	err := Each(text, func(quoted, text []byte, at int) error {
		same := string(quoted[1:len(quoted)-1]) == key
		if !same && bytes.IndexByte(quoted, '\\') >= 0 {
			k, err := Unquote(quoted)
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

// Unquote reads a JSON string, mostly without a decoder. Then it shares the document's
// memory, which nobody writes to: a session of many keys would else be copied in as
// many pieces.
func Unquote(text []byte) (string, error) {
	inside := text[1 : len(text)-1]
	if bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside) {
		return unsafe.String(unsafe.SliceData(inside), len(inside)), nil
	}
	var s string
	err := json.Unmarshal(text, &s)
	return s, err
}

// skipSpace, skipText and skipValue walk over valid JSON.
func SkipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

func SkipText(text []byte, i int) int {
	for i++; ; i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
}

func SkipValue(text []byte, i int) int {
	for depth := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			end := SkipText(text, i)
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

// AppendObject writes members as an object.
func AppendObject(dst []byte, members []Member) []byte {
	start := len(dst)
	dst = AppendMembers(dst, members)
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{' // in place of the first comma
	return append(dst, '}')
}

// AppendMembers writes members as the inside of an object, each with a comma before it.
func AppendMembers(dst []byte, members []Member) []byte {
	for i := range members {
		dst = append(append(dst, ','), members[i].Text...)
	}
	return dst
}
