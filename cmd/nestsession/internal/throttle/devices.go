package throttle

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

const nonceSize = 16

// Devices recognizes browsers in which a user has logged in before, by a cookie that says only that
// ("Slow Down Online Guessing Attacks with Device Cookies", OWASP). The cookie gives no access. It
// only gives the browser its own allowance of wrong passwords.
type Devices struct {
	keys [][]byte
}

// NewDevices derives its keys from the secrets of the sessions. The first signs,
// all verify.
func NewDevices(secrets []string) (*Devices, error) {
	d := &Devices{}
	for _, s := range secrets {
		// A key of its own, so that a signature of this cookie is never one of a session's cookie.
		key, err := hkdf.Key(sha256.New, []byte(s), nil, "nestsession known device", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("throttle: %w", err)
		}
		d.keys = append(d.keys, key)
	}
	if len(d.keys) == 0 {
		return nil, fmt.Errorf("throttle: no secret to sign device cookies with")
	}
	return d, nil
}

// Issue returns the value of a cookie that makes a browser known for a name.
func (d *Devices) Issue(name string) string {
	nonce := make([]byte, nonceSize, nonceSize+sha256.Size)
	_, _ = rand.Read(nonce) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(append(nonce, sign(d.keys[0], nonce, name)...))
}

// Known returns the key by which this browser is counted if the cookie's value was issued for this
// name, and "" otherwise.
func (d *Devices) Known(value, name string) (device string) {
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(raw) != nonceSize+sha256.Size {
		return ""
	}
	for _, key := range d.keys {
		if hmac.Equal(raw[nonceSize:], sign(key, raw[:nonceSize], name)) {
			return string(raw[:nonceSize])
		}
	}
	return ""
}

func sign(key, nonce []byte, name string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(nonce)
	h.Write([]byte(name))
	return h.Sum(nil)
}
