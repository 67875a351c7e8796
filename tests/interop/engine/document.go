package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/interop/scenario"
)

// The scenarios' operations on a store, which are not observed as calls, and the form in which its
// records are shown. In scenarios the expiry is in the document. Here it is in the record, and the
// date in the document is the one at the time of the write.

// put stores a document under an id, whether or not there is one.
func (s *Store) put(id string, doc map[string]any) error {
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := s.inner.Delete(ctx, id); err != nil {
		return err
	}
	_, err = s.inner.Create(ctx, store.Record{ID: id, Data: text, Expires: expiryOf(doc)})
	return err
}

// patch changes top-level members of a document, if it exists.
func (s *Store) patch(id string, set map[string]any, unset []string) error {
	ctx := context.Background()
	rec, err := s.inner.Load(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := json.Unmarshal(rec.Data, &doc); err != nil || doc == nil {
		return fmt.Errorf("the record to patch is no object: %w", err)
	}
	cookie := false
	for _, key := range unset {
		delete(doc, key)
		cookie = cookie || key == "cookie"
	}
	for key, value := range set {
		doc[key] = value
		cookie = cookie || key == "cookie"
	}
	if cookie {
		rec.Expires = expiryOf(doc)
	}
	if rec.Data, err = json.Marshal(doc); err != nil {
		return err
	}
	_, err = s.inner.Update(ctx, rec)
	return err
}

func (s *Store) remove(id string) error { return s.inner.Delete(context.Background(), id) }

func (s *Store) clear() error {
	ctx := context.Background()
	for rec, err := range s.inner.List(ctx, "") {
		if err == nil {
			err = s.inner.Delete(ctx, rec.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// expiryOf returns the date in a document's cookie member as MemoryStore reads it: a text, or a
// number of ms since 1970. A value that is not a date means that the session does not expire.
func expiryOf(doc map[string]any) time.Time {
	cookie, _ := doc["cookie"].(map[string]any)
	switch v := cookie["expires"].(type) {
	case bool:
		if v { // JavaScript takes it for the number 1
			return time.UnixMilli(1)
		}
	case float64:
		if v != 0 { // JavaScript takes it for no date
			return time.UnixMilli(int64(v))
		}
	case string:
		if t, ok := scenario.ParseDate(v); ok {
			return t
		}
	}
	return time.Time{}
}

// resolve replaces {"in":ms} in a document with the time that it means.
func resolve(v any, now time.Time) any {
	switch v := v.(type) {
	case map[string]any:
		if ms, ok := v["in"].(float64); ok && len(v) == 1 {
			return now.Add(scenario.Milliseconds(ms)).UTC().Format("2006-01-02T15:04:05.000Z")
		}
		out := map[string]any{}
		for key, value := range v {
			out[key] = resolve(value, now)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = resolve(v[i], now)
		}
		return out
	}
	return v
}

// documents shows the live records.
func (s *Store) documents(start time.Time) (map[string]any, error) {
	docs := map[string]any{}
	for rec, err := range s.inner.List(context.Background(), "") {
		if err != nil {
			return nil, err
		}
		if !IsOwn(rec.ID) && !IsTombstone(rec) {
			docs[rec.ID] = show(rec, start)
		}
	}
	return docs, nil
}

// show returns a record as its document, with the record's expiry. Data that are not JSON are shown
// as text.
func show(rec store.Record, start time.Time) any {
	var doc any
	if err := json.Unmarshal(rec.Data, &doc); err != nil {
		return "not JSON: " + string(rec.Data)
	}
	object, _ := doc.(map[string]any)
	cookie, _ := object["cookie"].(map[string]any)
	if cookie == nil {
		return doc
	}
	if ms, isNumber := cookie["expires"].(float64); isNumber && rec.Expires.Equal(time.UnixMilli(int64(ms))) {
		return doc
	}
	if !rec.Expires.IsZero() {
		cookie["expires"] = scenario.In(rec.Expires, start)
	} else if cookie["expires"] != false {
		cookie["expires"] = nil
	}
	return doc
}

// dataOf returns a document without its cookie member, to compare it.
func dataOf(text []byte) any {
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		return string(text)
	}
	if object, ok := doc.(map[string]any); ok {
		delete(object, "cookie")
	}
	return doc
}
