package session

import "github.com/nestsession/session/internal/document"

// RecordID returns the key under which a store keeps the session with the given id. It is
// for tools that inspect a store, or that import sessions into a store which had no hashes.
// scope is Config.Scope.
func RecordID(scope, id string) string { return document.RecordID(scope, id) }
