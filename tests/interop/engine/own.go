package engine

import (
	"encoding/json"
	"strings"

	"github.com/nestsession/session/store"
)

// What the library stores for its own purposes, and express-session does not. It is not compared.

// IsOwn reports whether an id is that of a record which leads from a session's old id to its new
// one.
func IsOwn(id string) bool { return strings.HasPrefix(id, "nestsession:link:") }

// IsTombstone reports whether a record only says that its session has ended, or has another id now.
// The library writes such a record before it removes a session.
func IsTombstone(rec store.Record) bool {
	var doc struct {
		Meta map[string]json.RawMessage `json:"__nestsession"`
	}
	if json.Unmarshal(rec.Data, &doc) != nil {
		return false
	}
	_, ended := doc.Meta["ended"]
	_, renewed := doc.Meta["successor"]
	return ended || renewed
}
