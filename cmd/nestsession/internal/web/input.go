package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// maxBody is the largest request body that is read: a username and two passwords
// of the longest kind fit many times.
const maxBody = 64 << 10

// readFields reads the named fields of a form or a JSON object; a missing field is "". Only the
// body counts: a password in the URL would end up in logs.
func readFields(w http.ResponseWriter, r *http.Request, names ...string) (map[string]string, *problem) {
	t := text.For(r.Header)
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Header.Get("Content-Type") == "" && r.ContentLength == 0:
		return map[string]string{}, nil
	case err == nil && kind == "application/json":
		return readJSON(t, r, names)
	case err == nil && kind == "application/x-www-form-urlencoded":
		return readForm(t, r, names)
	}
	return nil, &problem{Status: http.StatusUnsupportedMediaType, Text: t.WrongType}
}

func readForm(t *text.Text, r *http.Request, names []string) (map[string]string, *problem) {
	if err := r.ParseForm(); err != nil {
		return nil, unreadable(t, t.NotForm, err)
	}
	fields := make(map[string]string, len(names))
	for _, name := range names {
		fields[name] = r.PostForm.Get(name)
	}
	return fields, nil
}

func readJSON(t *text.Text, r *http.Request, names []string) (map[string]string, *problem) {
	dec := json.NewDecoder(r.Body)
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return nil, unreadable(t, t.NotJSON, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, unreadable(t, t.NotJSON, err)
	}
	fields := make(map[string]string, len(names))
	for _, name := range names {
		switch v := object[name].(type) {
		case nil:
		case string:
			fields[name] = v
		default:
			return nil, &problem{Status: http.StatusUnprocessableEntity,
				Text: fmt.Sprintf(t.NotString, name), Fields: map[string]string{name: t.NotStringField}}
		}
	}
	return fields, nil
}

// unreadable does not repeat what was sent, because it may be a part of a password.
func unreadable(t *text.Text, otherwise string, err error) *problem {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return &problem{Status: http.StatusRequestEntityTooLarge, Text: fmt.Sprintf(t.TooLarge, maxBody)}
	}
	return &problem{Status: http.StatusBadRequest, Text: otherwise}
}
