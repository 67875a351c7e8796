// Package ids makes the ids of sessions, and the names that stand for an id elsewhere: the
// key in the store, and the digest in events.
package ids

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
	"github.com/nestsession/session/internal/token"
)

// Maker makes the ids, keys and digests of one manager.
type Maker struct {
	Generate func(*http.Request) (string, error) // Config.GenID; nil: random ids
	Name     string                              // of the cookie that carries the id
	Signer   *cookie.Signer
	Seal     *document.Sealer // of the id that a renewal leaves for requests with the old one
	Scope    string           // a part of the keys
	Plain    bool             // the key is the id

	ForHeader bool // an Authorization header must be able to carry the id too

	digestKey [sha256.Size]byte
}

// DigestWith sets the secret for Digest.
func (m *Maker) DigestWith(secret string) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("nest session: digest of ids"))
	copy(m.digestKey[:], mac.Sum(nil))
}

// Make returns a new id. By default it is 24 bytes from the system's CSPRNG, which are 192
// bits; ASVS 7.2.3 requires 128. If a generator fails, Make returns an error and never a
// weak id (CVE-2025-66630). crypto/rand ends the program instead of returning one.
func (m *Maker) Make(r *http.Request) (string, error) {
	if m.Generate == nil {
		var raw [24]byte
		var text [32]byte
		rand.Read(raw[:])
		base64.RawURLEncoding.Encode(text[:], raw[:])
		return string(text[:]), nil
	}
	id, err := m.Generate(r)
	if err != nil {
		return "", fmt.Errorf("session: Config.GenID: %w", err)
	}
	if cookie.ValidID(id) != nil {
		return "", errors.New("session: Config.GenID returned an id that a cookie cannot carry; it must return UTF-8 text that is not \"\"")
	}
	if m.ForHeader && !token.Valid(id) {
		return "", errors.New("session: Config.GenID returned an id that a header cannot carry; with Config.Header it must consist of letters, digits and -._~+/")
	}
	if len(m.Name)+len(m.Signer.AppendValue(nil, id)) > cookie.MaxSize {
		return "", errors.New("session: Config.GenID returned an id that is too long for a cookie")
	}
	return id, nil
}

// Key returns the store's key for an id. By default it is a hash: anyone who can read the
// store cannot make a cookie from it, and the timing of a lookup reveals nothing about an
// id (CVE-2019-16782). The scope is a part of it, so a cookie of one manager does not work
// with another manager that has the same secrets and store, even under the other's name.
func (m *Maker) Key(id string) string {
	if m.Plain {
		return id
	}
	return document.RecordID(m.Scope, id)
}

// Successor returns the id to which a session was renewed, for a request that has the old
// id. It returns "" if the new id cannot be decrypted.
func (m *Maker) Successor(old string, info *document.Meta) string {
	if m.Plain {
		return info.Successor
	}
	id, err := m.Seal.OpenID(old, info.NewID)
	if err != nil {
		return ""
	}
	return id
}

// Digest returns the short name of the session under key in events, logs and Info. It is
// keyed, so it cannot be matched with a stolen id or key.
func (m *Maker) Digest(key string) string {
	mac := hmac.New(sha256.New, m.digestKey[:])
	mac.Write([]byte(key))
	return hex.EncodeToString(mac.Sum(nil)[:12])
}
