package devicebound

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
)

// The algorithms of keys, as JSON Web Algorithms names them.
const (
	es256 = "ES256"
	rs256 = "RS256"
)

const (
	// maxJWS is the length of the longest proof that is read. A proof with a key of maxRSA
	// bits and its signature has less than a third of it.
	maxJWS = 8 << 10

	minRSA, maxRSA           = 2048, 4096 // bits of the modulus
	minExponent, maxExponent = 1<<16 + 1, 1<<31 - 1
)

// proof is a JSON Web Signature of a browser. Its signature is not verified yet.
type proof struct {
	alg       string
	key       crypto.PublicKey // that the proof brings; nil: none
	jti       string           // the challenge that it answers
	aud       string           // "" if the browser does not say for whom it is
	code      string           // the authorization of the login's response; "" if there is none
	signed    string
	signature []byte
}

var (
	errForm = errors.New("devicebound: not a proof in the form of the protocol")
	errKey  = errors.New("devicebound: not a key that ES256 or RS256 can use safely")
)

var coding = base64.RawURLEncoding.Strict()

// decode decodes base64url without padding. Package base64 skips line breaks in it.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errForm
	}
	return coding.DecodeString(text)
}

// parseProof reads a proof in the compact form of RFC 7515. The error is errForm or errKey.
func parseProof(text string) (*proof, error) {
	parts := strings.Split(text, ".")
	if len(text) > maxJWS || len(parts) != 3 {
		return nil, errForm
	}
	header, err := members(parts[0])
	if err != nil {
		return nil, err
	}
	payload, err := members(parts[1])
	if err != nil {
		return nil, err
	}
	p := &proof{signed: text[:len(parts[0])+1+len(parts[1])]}
	var typ string
	ok := textMember(header, "typ", &typ) && typ == "dbsc+jwt" && textMember(header, "alg", &p.alg) && (p.alg == es256 || p.alg == rs256) &&
		header["crit"] == nil && header["b64"] == nil && textMember(payload, "jti", &p.jti) && p.jti != ""
	if payload["aud"] != nil {
		ok = ok && textMember(payload, "aud", &p.aud) && p.aud != ""
	}
	if payload["authorization"] != nil {
		ok = ok && textMember(payload, "authorization", &p.code)
	}
	if p.signature, err = decode(parts[2]); !ok || err != nil {
		return nil, errForm
	}
	if jwk := header["jwk"]; jwk != nil {
		p.key, err = parseKey(p.alg, jwk)
	}
	return p, err
}

// verify reports whether the key has signed the proof.
func (p *proof) verify(key crypto.PublicKey) bool {
	sum := sha256.Sum256([]byte(p.signed))
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return p.alg == es256 && len(p.signature) == 64 &&
			ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(p.signature[:32]), new(big.Int).SetBytes(p.signature[32:]))
	case *rsa.PublicKey:
		return p.alg == rs256 && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], p.signature) == nil
	}
	return false
}

// members decodes a part of a proof: a JSON object in base64url.
func members(part string) (map[string]json.RawMessage, error) {
	text, err := decode(part)
	if err != nil {
		return nil, errForm
	}
	return object(text)
}

// object reads a JSON object. A name that stands twice is an error: two programs may take
// different ones.
func object(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errForm
	}
	m := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errForm
		}
		key, _ := name.(string) // in an object it is one
		var value json.RawMessage
		if d.Decode(&value) != nil || m[key] != nil {
			return nil, errForm
		}
		m[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, errForm
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errForm
	}
	return m, nil
}

// textMember reads a member that must be there and be a string.
func textMember(m map[string]json.RawMessage, name string, dst *string) bool {
	text := m[name]
	return len(text) > 0 && text[0] == '"' && json.Unmarshal(text, dst) == nil
}

// parseKey reads a JSON Web Key for alg, and checks that it is safe to use.
func parseKey(alg string, text []byte) (crypto.PublicKey, error) {
	jwk, err := object(text)
	if err != nil || jwk["d"] != nil {
		return nil, errKey
	}
	number := func(name string) []byte {
		var coded string
		if !textMember(jwk, name, &coded) {
			return nil
		}
		n, err := decode(coded)
		if err != nil {
			return nil
		}
		return n
	}
	var kty, crv string
	switch textMember(jwk, "kty", &kty); {
	case alg == es256 && kty == "EC" && textMember(jwk, "crv", &crv) && crv == "P-256":
		x, y := number("x"), number("y")
		if len(x) != 32 || len(y) != 32 {
			return nil, errKey
		}
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil { // it is not on the curve
			return nil, errKey
		}
		return key, nil
	case alg == rs256 && kty == "RSA":
		n, e := number("n"), number("e")
		modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
		if len(n) == 0 || n[0] == 0 || len(e) == 0 || e[0] == 0 || modulus.BitLen() < minRSA || modulus.BitLen() > maxRSA || modulus.Bit(0) == 0 ||
			exponent.Cmp(big.NewInt(minExponent)) < 0 || exponent.Cmp(big.NewInt(maxExponent)) > 0 || exponent.Bit(0) == 0 {
			return nil, errKey
		}
		return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
	}
	return nil, errKey
}

// encodeKey returns a key as a text for the session's record.
func encodeKey(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return coding.EncodeToString(der), err
}

func decodeKey(text string) (crypto.PublicKey, error) {
	der, err := coding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return x509.ParsePKIXPublicKey(der)
}
