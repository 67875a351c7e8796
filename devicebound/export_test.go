package devicebound

import (
	"errors"
	"fmt"
)

// CheckProof checks a proof against a key, as a JSON Web Key, and what it must say.
func CheckProof(text, jwk, challenge, audience string) error {
	p, err := parseProof(text)
	if err != nil {
		return err
	}
	key, err := parseKey(p.alg, []byte(jwk))
	if err != nil {
		return err
	}
	kept, err := encodeKey(key)
	if err != nil {
		return err
	}
	if key, err = decodeKey(kept); err != nil {
		return err
	}
	if !p.verify(key) || p.key != nil && !p.verify(p.key) {
		return errors.New("the signature is not valid")
	}
	if p.jti != challenge || p.aud != audience {
		return fmt.Errorf("it answers %q, for %q", p.jti, p.aud)
	}
	return nil
}
