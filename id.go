package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/nestsession/session/internal/document"
)

func (c *core) makeID(r *http.Request) (string, error) { return c.ids.Make(r) }

// key returns the store's key for an id. By default it is a hash: anyone who can read the
// store cannot make a cookie from it, and the timing of a lookup reveals nothing about an
// id (CVE-2019-16782). The scope is a part of it, so a cookie of one manager does not work
// with another manager that has the same secrets and store, even under the other's name.
func (c *core) key(id string) string {
	if c.plainIDs {
		return id
	}
	return RecordID(c.scope, id)
}

// RecordID returns the key under which a store keeps the session with the given id. It is
// for tools that inspect a store, or that import sessions into a store which had no hashes.
// scope is Config.Scope.
func RecordID(scope, id string) string {
	return document.RecordID(scope, id)
}

// linkKey returns the key of the record that leads from the old id of a session to its new
// one, under Express.Rules.
func linkKey(key string) string { return "nestsession:link:" + document.Hashed([]byte(key)) }

// successorID returns the id to which a session was renewed, for a request that has the old
// id. It returns "" if the new id cannot be decrypted.
func (c *core) successorID(old string, info *document.Meta) string {
	if c.plainIDs {
		return info.Successor
	}
	id, err := c.seal.OpenID(old, info.NewID)
	if err != nil {
		return ""
	}
	return id
}

// digest returns the short name of a session in events, logs and Info. It is keyed, so it
// cannot be matched with a stolen id or key.
func (c *core) digest(key string) string {
	mac := hmac.New(sha256.New, c.digestKey[:])
	mac.Write([]byte(key))
	return hex.EncodeToString(mac.Sum(nil)[:12])
}
