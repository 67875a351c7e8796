package document

import (
	"net/url"
	"strings"
)

// Notes are what extensions keep in the bookkeeping: texts by name, encoded as in a URL's
// query. So they need no escape in JSON, and a program that writes the same JSON in another
// form does not change them.
type Notes string

// Get returns the note with that name, "" if there is none.
func (n Notes) Get(name string) string {
	for rest := string(n); rest != ""; {
		var one string
		one, rest, _ = strings.Cut(rest, "&")
		if key, text, _ := strings.Cut(one, "="); key == url.QueryEscape(name) {
			text, _ = url.QueryUnescape(text) // With has written it
			return text
		}
	}
	return ""
}

// With returns the notes with text in place of the note with that name.
func (n Notes) With(name, text string) Notes {
	v, _ := url.ParseQuery(string(n))
	if v.Set(name, text); text == "" {
		v.Del(name)
	}
	return Notes(v.Encode())
}

// NoteChange changes notes; nil changes none.
type NoteChange func(Notes) Notes

// On returns the notes after the change. If kept is false, it begins without any.
func (c NoteChange) On(n Notes, kept bool) Notes {
	if !kept {
		n = ""
	}
	if c == nil {
		return n
	}
	return c(n)
}

// Then returns the change after which fn changes the note with that name.
func (c NoteChange) Then(name string, fn func(old string) string) NoteChange {
	return func(n Notes) Notes {
		n = c.On(n, true)
		return n.With(name, fn(n.Get(name)))
	}
}
