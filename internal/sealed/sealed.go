// Package sealed encrypts the data of sessions, so that they can be read only with the id
// in the client's cookie and one of the application's secrets.
//
// Each session has a random data key. The record holds the ciphertext of the data, and the
// data key wrapped: encrypted under a key that HKDF derives from a secret and the id. The
// data key stays the same when the session is renewed, and is wrapped anew for each id. So
// a request that knows the session under an older id goes on. A login begins a new data
// key; [Key.Pass] hands it on to requests that hold the old one.
//
// All encryption is AES-256-GCM with random nonces of 96 bits. A data key encrypts once for
// each write of its session: NIST SP 800-38D allows 2^32.
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

// KeySize is the length of a data key, in bytes.
const KeySize = 32

// overhead is what encryption adds: the nonce and the tag.
const overhead = 12 + 16

// WrappedSize is the length of a wrapped data key, in bytes.
const WrappedSize = KeySize + overhead

// Key is the data key of a session.
type Key [KeySize]byte

// NewKey returns a random key.
func NewKey() (k Key) {
	rand.Read(k[:])
	return k
}

// What is encrypted is bound to its purpose, and to the key of its record: what belongs to
// one record cannot be opened as another's.
const (
	forData = "nest session: sealed data\x00"
	forWrap = "nest session: wrapped data key\x00"
	forPass = "nest session: data key of a login\x00"
)

// ErrOpen means that the text was not encrypted with the key for this record, or was
// changed since.
var ErrOpen = errors.New("sealed data cannot be opened: they were changed, or sealed for another record or with another secret")

// Seal appends the ciphertext of the data of a record to dst.
func (k *Key) Seal(dst, data []byte, record string) ([]byte, error) {
	return encrypt(k[:], dst, data, forData+record)
}

// Open appends the data of a record to dst. It returns [ErrOpen] for what is not theirs.
func (k *Key) Open(dst, text []byte, record string) ([]byte, error) {
	return decrypt(k[:], dst, text, forData+record)
}

// Pass returns the data key of another record, encrypted for those who hold this key.
func (k *Key) Pass(next *Key, record string) ([]byte, error) {
	return encrypt(k[:], nil, next[:], forPass+record)
}

// Take opens what [Key.Pass] returned.
func (k *Key) Take(text []byte, record string) (next Key, err error) {
	return keyOf(decrypt(k[:], nil, text, forPass+record))
}

// Ring wraps data keys with secrets. The first secret wraps; all of them unwrap.
type Ring struct{ secrets [][]byte } // pseudorandom keys, one a secret

// NewRing returns the ring of the secrets.
func NewRing(secrets []string) (*Ring, error) {
	r := &Ring{}
	for _, secret := range secrets {
		key, err := hkdf.Extract(sha256.New, []byte(secret), []byte("nest session: sealed sessions"))
		if err != nil {
			return nil, err
		}
		r.secrets = append(r.secrets, key)
	}
	return r, nil
}

// Wrap encrypts a data key for those who have a secret and the id of the session.
func (r *Ring) Wrap(k *Key, id, record string) ([]byte, error) {
	wrapping, err := hkdf.Expand(sha256.New, r.secrets[0], id, KeySize)
	if err != nil {
		return nil, err
	}
	return encrypt(wrapping, nil, k[:], forWrap+record)
}

// Unwrap opens what [Ring.Wrap] returned. old reports that it was wrapped with another
// secret than the first.
func (r *Ring) Unwrap(text []byte, id, record string) (k Key, old bool, err error) {
	for i, secret := range r.secrets {
		wrapping, err := hkdf.Expand(sha256.New, secret, id, KeySize)
		if err != nil {
			return k, false, err
		}
		if k, err = keyOf(decrypt(wrapping, nil, text, forWrap+record)); err == nil {
			return k, i > 0, nil
		}
	}
	return k, false, ErrOpen
}

func keyOf(text []byte, err error) (k Key, _ error) {
	if err == nil && len(text) != KeySize {
		err = ErrOpen
	}
	copy(k[:], text)
	return k, err
}

func encrypt(key, dst, text []byte, purpose string) ([]byte, error) {
	box, err := boxOf(key)
	if err != nil {
		return nil, err
	}
	return box.Seal(dst, nil, text, []byte(purpose)), nil
}

func decrypt(key, dst, text []byte, purpose string) ([]byte, error) {
	box, err := boxOf(key)
	if err != nil {
		return nil, err
	}
	if dst, err = box.Open(dst, nil, text, []byte(purpose)); err != nil {
		return nil, ErrOpen
	}
	return dst, nil
}

func boxOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
