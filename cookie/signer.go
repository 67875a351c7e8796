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
	// ErrMalformed means that a cookie's value is not "s:", an id, a dot and a
	// signature, or is over [MaxSize]. Neither a [Signer] nor express-session wrote
	// it. The error's text says if the reason is an incomplete %-escape, as in a
	// value that was truncated within one.
	ErrMalformed = errors.New("cookie: not a signed value")

	// ErrSignature means that a value has that form and that none of the secrets
	// made its signature: it was changed, truncated (but not within a %-escape), or
	// signed with a secret that is no longer in the list.
	ErrSignature = errors.New("cookie: signature does not match")
)

// errEscape is the ErrMalformed for a value that begins like an escaped one and cannot be
// unescaped. Then nothing of it is unescaped, not even the "s:".
var errEscape = fmt.Errorf("%w: it has a broken %%-escape: was it cut off?", ErrMalformed)

const (
	prefix        = "s:" // marks the value as signed, for express-session
	escapedPrefix = "s%3A"

	// macLength is an HMAC-SHA256 in base64 without padding.
	macLength = (sha256.Size*8 + 5) / 6
)

// encoding only encodes. Signatures are compared as text, so each has exactly one
// spelling. A decoder would accept line breaks and stray last bits.
var encoding = base64.RawStdEncoding

// Signer signs ids and verifies them with HMAC-SHA256, as the npm package
// cookie-signature does. Several goroutines may use it at once. [NewSigner]
// makes one; the zero Signer has no secret, signs nothing and verifies nothing.
type Signer struct {
	// A pool of *state: keyed hashes are costly to make and cheap to reset. The secrets
	// are only in the pool and its New, where fmt and slog do not find them.
	states sync.Pool
}

// state is used by one call that signs or verifies.
type state struct {
	macs []hash.Hash // one per secret, in order
	text []byte
	sum  [sha256.Size]byte
	mac  [macLength]byte
}

// NewSigner returns a Signer that signs with the first secret and verifies with
// all of them, so that secrets can be rotated: put the new one in front, and
// drop the old one when its last cookie has expired. The bytes of a secret are
// the key. NewSigner returns an error for an empty list and an empty secret,
// with which anyone could sign. Secrets should be random and have at least 32
// bytes; NewSigner does not check that, because express-session's may be shorter.
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

// AppendValue appends the signed id as a cookie's value: [Signer.AppendSigned],
// percent-escaped as by JavaScript's encodeURIComponent.
//
// An id that is not a [ValidID] is signed too, but [Signer.Verify] does not return it.
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
// that signed it. If the index is above 0, send the cookie again before that secret
// is dropped. The value is that of the header, as [Lookup] returns it; escapes
// are optional, as with Node. The errors are [ErrMalformed] and [ErrSignature];
// a value over [MaxSize] is malformed, and is not decoded.
//
// Verify tries every secret, in constant time, whichever one matches. It refuses a
// signature that is truncated, extended, padded, or spelled in another way.
//
// The id may be a substring of value and keep it in memory: clone an id that you keep.
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

	// The loop neither stops at a match nor branches on it, so that its time does not
	// depend on which secret matched. It runs backwards, so that the first match wins.
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

// share returns the id as a string, if possible as a substring of the value that it was
// unescaped from: usually only the prefix is escaped, and not the id.
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
