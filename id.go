package session

import (
	"net/http"

	"github.com/nestsession/session/internal/document"
)

func (c *core) makeID(r *http.Request) (string, error) { return c.ids.Make(r) }

func (c *core) key(id string) string { return c.ids.Key(id) }

func (c *core) digest(key string) string { return c.ids.Digest(key) }

func (c *core) successorID(old string, info *document.Meta) string { return c.ids.Successor(old, info) }

// RecordID returns the key under which a store keeps the session with the given id. It is
// for tools that inspect a store, or that import sessions into a store which had no hashes.
// scope is Config.Scope.
func RecordID(scope, id string) string { return document.RecordID(scope, id) }

// linkKey returns the key of the record that leads from the old id of a session to its new
// one, under Express.Rules.
func linkKey(key string) string { return "nestsession:link:" + document.Hashed([]byte(key)) }
