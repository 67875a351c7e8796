package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/document"
)

// makeID returns a new id. By default it is 24 bytes from the system's CSPRNG, which are
// 192 bits; ASVS 7.2.3 requires 128. If a generator fails, makeID returns an error and
// never a weak id (CVE-2025-66630). crypto/rand ends the program instead of returning one.
func (c *core) makeID(r *http.Request) (string, error) {
	if c.genID == nil {
		var raw [24]byte
		var text [32]byte
		rand.Read(raw[:])
		base64.RawURLEncoding.Encode(text[:], raw[:])
		return string(text[:]), nil
	}
	id, err := c.genID(c.exchanges.Callback(r))
	if err != nil {
		return "", fmt.Errorf("session: Config.GenID: %w", err)
	}
	if cookie.ValidID(id) != nil {
		return "", errors.New("session: Config.GenID returned an id that a cookie cannot carry; it must return UTF-8 text that is not \"\"")
	}
	if len(c.name)+len(c.signer.AppendValue(nil, id)) > cookie.MaxSize {
		return "", errors.New("session: Config.GenID returned an id that is too long for a cookie")
	}
	return id, nil
}

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
