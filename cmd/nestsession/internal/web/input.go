package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// maxBody is the largest request body that is read: a username and two passwords
// of the longest kind fit many times.
const maxBody = 64 << 10

// readFields reads the named fields of a form or a JSON object; one that was not
// sent is "". Only the body counts: a password in the URL would end up in logs.
func readFields(w http.ResponseWriter, r *http.Request, names ...string) (map[string]string, *problem) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Header.Get("Content-Type") == "" && r.ContentLength == 0:
		return map[string]string{}, nil
	case err == nil && kind == "application/json":
		return readJSON(r, names)
	case err == nil && kind == "application/x-www-form-urlencoded":
		return readForm(r, names)
	}
	return nil, &problem{Status: http.StatusUnsupportedMediaType,
		Text: "Send JSON with Content-Type: application/json, or a form with Content-Type: application/x-www-form-urlencoded."}
}

func readForm(r *http.Request, names []string) (map[string]string, *problem) {
	if err := r.ParseForm(); err != nil {
		return nil, unreadable("form", err)
	}
	fields := make(map[string]string, len(names))
	for _, name := range names {
		fields[name] = r.PostForm.Get(name)
	}
	return fields, nil
}

func readJSON(r *http.Request, names []string) (map[string]string, *problem) {
	dec := json.NewDecoder(r.Body)
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return nil, unreadable("JSON object", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, unreadable("JSON object", err)
	}
	fields := make(map[string]string, len(names))
	for _, name := range names {
		switch v := object[name].(type) {
		case nil:
		case string:
			fields[name] = v
		default:
			return nil, &problem{Status: http.StatusUnprocessableEntity,
				Text: fmt.Sprintf("%q must be a string in quotes.", name), Fields: map[string]string{name: "write it as a string in quotes"}}
		}
	}
	return fields, nil
}

// unreadable does not repeat what was sent: that may be half a password.
func unreadable(what string, err error) *problem {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return &problem{Status: http.StatusRequestEntityTooLarge, Text: fmt.Sprintf("Send at most %d bytes.", maxBody)}
	}
	return &problem{Status: http.StatusBadRequest, Text: "The body is not the " + what + " that its Content-Type promises."}
}
