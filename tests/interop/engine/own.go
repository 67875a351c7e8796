package engine

import (
	"encoding/json"
	"strings"

	"github.com/nestsession/session/store"
)

// What the library does in a store for itself, and express-session has no like of: it is
// left out of the calls and records that are compared.

// IsOwn tells the id of a record of the library's own, which leads from a session's old
// id to its new one.
func IsOwn(id string) bool { return strings.HasPrefix(id, "nestsession:link:") }

// IsTombstone tells a record that says that its session has ended, or goes on under
// another id: the library swaps a session for one before it removes it.
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
