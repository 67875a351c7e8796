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
)

// newID makes an id: 24 bytes from the system's CSPRNG are 192 bits, of which
// ASVS 7.2.3 asks for 128. A failing generator is an error and never a weak id
// (CVE-2025-66630); crypto/rand ends the program rather than return one.
func (c *core) newID(r *http.Request) (string, error) {
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
// an id (CVE-2019-16782).
func (c *core) key(id string) string {
	if c.plainIDs {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], sum[:])
	return string(text[:])
}

// digest stands for a session in events, logs and Info. It is keyed, so that it
// cannot be matched with a stolen id or key.
func (c *core) digest(key string) string {
	mac := hmac.New(sha256.New, c.digestKey[:])
	mac.Write([]byte(key))
	return hex.EncodeToString(mac.Sum(nil)[:12])
}
