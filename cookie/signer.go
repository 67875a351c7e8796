package cookie

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
)

var (
	// ErrMalformed says that a cookie's value is not "s:", an id, a dot and a
	// signature, or is over [MaxSize]: no [Signer] wrote it as it is, nor
	// express-session. Where the reason is a %-escape that is not whole, as in a
	// value that was cut off within one, the error's text says so.
	ErrMalformed = errors.New("cookie: not a signed value")

	// ErrSignature says that a value has that form and that none of the secrets
	// made its signature: it was tampered with, cut off on its way (but not
	// within a %-escape), or signed with a secret that has been dropped.
	ErrSignature = errors.New("cookie: signature does not match")
)

// errEscape is ErrMalformed of a value that begins as an escaped one does and can't be
// unescaped, so that nothing of it is, the "s:" included.
var errEscape = fmt.Errorf("%w: it has a broken %%-escape: was it cut off?", ErrMalformed)

const (
	prefix        = "s:" // tells express-session that the value is signed
	escapedPrefix = "s%3A"

	// macLength is an HMAC-SHA256 in base64 without padding.
	macLength = (sha256.Size*8 + 5) / 6
)

// encoding never decodes: signatures are compared as text, so that each has
// exactly one spelling. A decoder would take line breaks and stray last bits.
var encoding = base64.RawStdEncoding

// Signer signs ids and verifies them with HMAC-SHA256, as the npm package
// cookie-signature does. Several goroutines may use it at once. [NewSigner]
// makes one; the zero Signer has no secret, signs nothing and verifies nothing.
type Signer struct {
	// Of *state: keyed hashes are costly to make and cheap to reset. The secrets
	// are in the pool and its New alone, where fmt and slog do not see them.
	states sync.Pool
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
// anybody could sign. Secrets should be random and of 32 bytes at least; their
// length is not judged here, as express-session's may be shorter.
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
	st := s.get()
	if len(st.macs) == 0 {
		return dst
	}
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
// An id that is not a [ValidID] is signed as well, but does not come back.
func (s *Signer) AppendValue(dst []byte, id string) []byte {
	st := s.get()
	if len(st.macs) == 0 {
		return dst
	}
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
// are optional, as with Node. The errors are [ErrMalformed] and [ErrSignature];
// a value over [MaxSize] is malformed before anything is decoded.
//
// Every secret is tried, in constant time, whichever one matches. A signature
// cut short, prolonged, padded, or spelled in another way is refused.
//
// The id may be a part of value and keep it in memory: clone what lives on.
func (s *Signer) Verify(value string) (id string, secret int, err error) {
	if len(value) > MaxSize {
		return "", 0, ErrMalformed
	}
	st := s.get()
	id, secret, err = st.verify(value)
	s.states.Put(st)
	return id, secret, err
}

func (st *state) verify(value string) (string, int, error) {
	st.text = appendUnescaped(st.text[:0], value)
	text := st.text
	dot := bytes.LastIndexByte(text, '.') // an id may have dots, a signature has none
	if dot <= len(prefix) || string(text[:len(prefix)]) != prefix {
		if strings.HasPrefix(string(text), escapedPrefix) || strings.HasPrefix(string(text), "s%3a") {
			return "", 0, errEscape // else it would be unescaped
		}
		return "", 0, ErrMalformed
	}
	id, mac := text[len(prefix):dot], text[dot+1:]

	// The loop neither stops at a match nor branches on it, so that time tells
	// nothing of which secret matched. Backwards, for the first one counts.
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

func (s *Signer) get() *state {
	if st, ok := s.states.Get().(*state); ok {
		return st
	}
	return new(state) // of the zero Signer
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
