// Package ids makes the ids of sessions.
package ids

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/nestsession/session/cookie"
)

// Maker makes the ids of one manager.
type Maker struct {
	Generate func(*http.Request) (string, error) // Config.GenID; nil: random ids
	Name     string                              // of the cookie that carries the id
	Signer   *cookie.Signer
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
	if len(m.Name)+len(m.Signer.AppendValue(nil, id)) > cookie.MaxSize {
		return "", errors.New("session: Config.GenID returned an id that is too long for a cookie")
	}
	return id, nil
}
