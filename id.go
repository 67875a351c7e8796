package session

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

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
	id, err := c.genID(c.callback(r))
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

// MaxRenewRepair is how long after [Session.Renew] the old id still leads to the session if
// no request has come with the new one, because the client did not get it.
const MaxRenewRepair = 24 * time.Hour

// RecordID returns the key under which a store keeps the session with the given id. It is
// for tools that inspect a store, or that import sessions into a store which had no hashes.
// scope is Config.Scope.
func RecordID(scope, id string) string {
	return document.RecordID(scope, id)
}
