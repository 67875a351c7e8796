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

// makeID makes an id: 24 bytes from the system's CSPRNG are 192 bits, of which
// ASVS 7.2.3 asks for 128. A failing generator is an error and never a weak id
// (CVE-2025-66630); crypto/rand ends the program rather than return one.
func (c *core) makeID(r *http.Request) (string, error) {
	if c.genID == nil {
		var raw [24]byte
		var text [32]byte
		rand.Read(raw[:])
		base64.RawURLEncoding.Encode(text[:], raw[:])
		return string(text[:]), nil
	}
	id, err := c.genID(c.callback(r))
	if err != nil {
		return "", fmt.Errorf("session: Config.GenID: %w", err)
	}
	if cookie.ValidID(id) != nil {
		return "", errors.New("session: Config.GenID returned an id that no cookie brings back; it must return valid UTF-8 text, and not \"\"")
	}
	if len(c.name)+len(c.signer.AppendValue(nil, id)) > cookie.MaxSize {
		return "", errors.New("session: Config.GenID returned an id that is too long for a cookie")
	}
	return id, nil
}

// key is what the store knows the id by. A hash by default: who reads the store
// cannot make a cookie of it, and the time that a lookup takes says nothing about
// an id (CVE-2019-16782). The scope is in it, so that a cookie of one manager, given
// the name of another's, is none there, though both have the same secret and store.
func (c *core) key(id string) string {
	if c.plainIDs {
		return id
	}
	return RecordID(c.scope, id)
}

// RecordID returns what stores know the session of an id by: for tools that look into a
// store, or bring sessions into one that had no hashes. scope is Config.Scope.
func RecordID(scope, id string) string {
	return document.RecordID(scope, id)
}

// linkKey is what the store knows the record by that leads from the id of a session
// under Express.Rules to its new one.
func linkKey(key string) string { return "nestsession:link:" + document.Hashed([]byte(key)) }

// successorID is the id to which a session was renewed, for who has the old one: "" if
// that cannot be told.
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

// digest stands for a session in events, logs and Info. It is keyed, so that it
// cannot be matched with a stolen id or key.
func (c *core) digest(key string) string {
	mac := hmac.New(sha256.New, c.digestKey[:])
	mac.Write([]byte(key))
	return hex.EncodeToString(mac.Sum(nil)[:12])
}
