package cookie

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"strings"
	"sync"
)

var (
	// ErrMalformed says that a cookie's value is not "s:", an id, a dot and a
	// signature's length of text, or is over [MaxSize]: whoever wrote it, it was
	// no [Signer].
	ErrMalformed = errors.New("cookie: not a signed value")

	// ErrSignature says that a value has the right form and that none of the
	// secrets made its signature: it was tampered with, or its secret was dropped.
	ErrSignature = errors.New("cookie: signature does not match")
)

const (
	prefix        = "s:" // tells express-session that the value is signed
	escapedPrefix = "s%3A"

	// macLength is an HMAC-SHA256 in base64 without padding.
	macLength = (sha256.Size*8 + 5) / 6
)

// encoding is strict about nothing, for it never decodes: signatures are
// compared as text, so that each has exactly one spelling.
var encoding = base64.RawStdEncoding

// Signer signs ids and verifies them with HMAC-SHA256, as the npm package
// cookie-signature does. Several goroutines may use it at once.
type Signer struct {
	states sync.Pool // of *state: keyed hashes are costly to make, cheap to reset
}

// state is what one signing or verifying needs.
type state struct {
	macs []hash.Hash // one per secret, in order
	text []byte
	sum  [sha256.Size]byte
	mac  [macLength]byte
}

// NewSigner returns a Signer that signs with the first secret and verifies with
// all of them, so that secrets can be rotated: put the new one in front, and
// drop the old one when its last cookie has expired. The bytes of a secret are
// the key. No secret, or an empty one, is an error: HMAC would take it, and
// anybody could sign.
func NewSigner(secrets ...string) (*Signer, error) {
	if len(secrets) == 0 {
		return nil, errors.New("cookie: no secret")
	}
	for _, secret := range secrets {
		if secret == "" {
			return nil, errors.New("cookie: empty secret")
		}
	}
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		keys[i] = []byte(secret)
	}
	s := &Signer{}
	s.states.New = func() any {
		st := &state{macs: make([]hash.Hash, len(keys))}
		for i, key := range keys {
			st.macs[i] = hmac.New(sha256.New, key)
		}
		return st
	}
	return s, nil
}

// AppendSigned appends the signed id as it is before escaping: "s:", the id, a
// dot, and the signature by the first secret in base64 without padding.
func (s *Signer) AppendSigned(dst []byte, id string) []byte {
	st := s.states.Get().(*state)
	st.text = append(st.text[:0], id...)
	st.sign(0, st.text)
	dst = append(dst, prefix...)
	dst = append(dst, id...)
	dst = append(dst, '.')
	dst = append(dst, st.mac[:]...)
	s.states.Put(st)
	return dst
}

// AppendValue appends the signed id ready to be a cookie's value, which is
// [Signer.AppendSigned] percent-escaped as by JavaScript's encodeURIComponent.
//
// The id is any text but the empty one, in UTF-8; escapes that are not UTF-8
// are not unescaped on the way back, here as in Node.
func (s *Signer) AppendValue(dst []byte, id string) []byte {
	st := s.states.Get().(*state)
	st.text = append(st.text[:0], id...)
	st.sign(0, st.text)
	dst = append(dst, escapedPrefix...)
	dst = appendEscaped(dst, st.text)
	dst = append(dst, '.')
	dst = appendEscaped(dst, st.mac[:])
	s.states.Put(st)
	return dst
}

// Verify returns the id in the value of a cookie, and the index of the secret
// that signed it: above 0, the cookie wants to be sent anew before that secret
// is dropped. The value is as it stood in the header, [Lookup] gives it; escapes
// are optional, as with Node. The errors are [ErrMalformed] and [ErrSignature].
//
// Every secret is tried in constant time, whichever one matches. A signature
// cut short, prolonged, padded, or spelled in another way is refused.
func (s *Signer) Verify(value string) (id string, secret int, err error) {
	if len(value) > MaxSize {
		return "", 0, ErrMalformed
	}
	st := s.states.Get().(*state)
	id, secret, err = st.verify(value)
	s.states.Put(st)
	return id, secret, err
}

func (st *state) verify(value string) (string, int, error) {
	st.text = appendUnescaped(st.text[:0], value)
	text := st.text
	dot := len(text) - macLength - 1
	if dot <= len(prefix) || string(text[:len(prefix)]) != prefix || text[dot] != '.' {
		return "", 0, ErrMalformed
	}
	id, mac := text[len(prefix):dot], text[dot+1:]

	// The loop does not stop at the first match, and asks no question of it, so
	// that time tells nothing of which secret matched.
	secret := -1
	for i := len(st.macs) - 1; i >= 0; i-- {
		st.sign(i, id)
		match := subtle.ConstantTimeCompare(st.mac[:], mac)
		secret = subtle.ConstantTimeSelect(match, i, secret)
	}
	if secret < 0 {
		return "", 0, ErrSignature
	}
	return share(value, id), secret, nil
}

// sign puts the signature of id by one of the secrets into st.mac.
func (st *state) sign(secret int, id []byte) {
	h := st.macs[secret]
	h.Reset()
	h.Write(id)
	encoding.Encode(st.mac[:], h.Sum(st.sum[:0]))
}

// share returns the id as a string, where it can be a part of the value it was
// unescaped from: ids seldom have anything to escape, only the prefix has.
func share(value string, id []byte) string {
	start := len(prefix)
	if !strings.HasPrefix(value, prefix) {
		start = len(escapedPrefix)
	}
	if end := start + len(id); end <= len(value) && value[start:end] == string(id) {
		return value[start:end]
	}
	return string(id)
}
