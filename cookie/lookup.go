package cookie

import (
	"iter"
	"strings"
)

// Lookup looks for the cookies of the name in the Cookie field lines of a
// request (r.Header["Cookie"]; HTTP/2 has one line per cookie, and Node joins
// them). It returns the value of the first, without the double quotes around
// it, and how many there are. A second cookie is a mistake, or was planted by a
// sibling domain. The name must be valid, see [ValidName].
//
// Lookup reads as Node's parser does. Semicolons separate pairs, also within
// quotes; spaces and tabs around names and values are ignored; a pair without an
// equals sign is ignored.
func Lookup(lines []string, name string) (first string, n int) {
	for value := range All(lines, name) {
		if n == 0 {
			first = value
		}
		n++
	}
	return first, n
}

// All yields the values of the cookies of the name, as [Lookup] reads them.
func All(lines []string, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if name == "" {
			return
		}
		for _, line := range lines {
			for at := 0; ; {
				i := strings.Index(line[at:], name)
				if i < 0 {
					break
				}
				start := at + i
				at = start + len(name)
				if !beginsPair(line[:start]) {
					continue
				}
				value, ok := strings.CutPrefix(trimLeft(line[at:]), "=")
				if !ok {
					continue
				}
				at = len(line) - len(value)
				if end := strings.IndexByte(value, ';'); end >= 0 {
					value = value[:end]
				}
				at += len(value)
				if !yield(unquote(trim(value))) {
					return
				}
			}
		}
	}
}

// beginsPair reports whether a pair begins after the text and spaces.
func beginsPair(text string) bool {
	text = trimRight(text)
	return text == "" || text[len(text)-1] == ';'
}

func unquote(s string) string {
	if s == `"` {
		return "" // Node takes it for the opening and the closing quote
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

func trim(s string) string { return trimLeft(trimRight(s)) }

func trimLeft(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

func trimRight(s string) string {
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
