package devicebound

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"net/http"
	"strings"
)

// sealer encrypts the session cookie of a login for the browser's registration. After a login
// by a link on another site, such as an identity provider's, Chromium sends the registration
// without the session cookie, if that is SameSite=Lax. The first key encrypts, all decrypt.
type sealer [][]byte

func box(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // the block is that of AES
	}
	return aead
}

// seal encrypts a text that counts only together with the challenge.
func (s sealer) seal(text, challenge string) string {
	return coding.EncodeToString(box(s[0]).Seal(nil, nil, []byte(text), []byte(challenge)))
}

// open returns "" if no key has encrypted the code for the challenge.
func (s sealer) open(code, challenge string) string {
	sealed, err := coding.DecodeString(code)
	if err != nil {
		return ""
	}
	for _, key := range s {
		if text, err := box(key).Open(nil, nil, sealed, []byte(challenge)); err == nil {
			return string(text)
		}
	}
	return ""
}

// sessionCookie returns the value of the session cookie that a response sets.
func (b *Binding[T]) sessionCookie(h http.Header) (value string) {
	for _, line := range h["Set-Cookie"] {
		if rest, ok := strings.CutPrefix(line, b.sessions.CookieName()+"="); ok {
			value, _, _ = strings.Cut(rest, ";")
		}
	}
	return value
}

// withSession returns a registration with the session cookie of its login, if it came without
// one. sealed reports that. The response then must not have a session cookie.
func (b *Binding[T]) withSession(ctx context.Context, r *http.Request) (with *http.Request, sealed bool) {
	r = r.WithContext(ctx)
	if r.URL.Path != b.cfg.RegisterPath || len(r.CookiesNamed(b.sessions.CookieName())) > 0 {
		return r, false
	}
	p, reason := b.proofOf(r)
	if reason != "" || p.code == "" {
		return r, false
	}
	value := b.sealer.open(p.code, p.jti)
	if value == "" {
		return r, false
	}
	r = r.Clone(ctx)
	r.Header.Add("Cookie", b.sessions.CookieName()+"="+value)
	return r, true
}
