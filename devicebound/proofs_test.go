package devicebound_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
)

// forgery is how a proof differs from a good one: of its parts, or of the whole.
type forgery struct {
	name    string
	reason  devicebound.Reason
	header  func(h map[string]any)
	payload func(p map[string]any)
	sign    func(t *testing.T, key crypto.Signer, text string) []byte
	whole   func(text string) string
	alg     string
}

// with sets a member.
func with(name string, value any) func(map[string]any) {
	return func(m map[string]any) { m[name] = value }
}

func without1(name string) func(map[string]any) {
	return func(m map[string]any) { delete(m, name) }
}

// der is a signature in the form that other protocols use.
func der(t *testing.T, key crypto.Signer, text string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	out, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// forgeries are those of a registration and of a proof alike.
var forgeries = []forgery{
	{name: "alg none", reason: devicebound.ReasonMalformed, header: with("alg", "none"), sign: func(*testing.T, crypto.Signer, string) []byte { return nil }},
	{name: "alg None, with a signature", reason: devicebound.ReasonMalformed, header: with("alg", "None")},
	{name: "alg HS256", reason: devicebound.ReasonMalformed, header: with("alg", "HS256")},
	{name: "alg ES384", reason: devicebound.ReasonMalformed, header: with("alg", "ES384")},
	{name: "no alg", reason: devicebound.ReasonMalformed, header: without1("alg")},
	{name: "alg is a number", reason: devicebound.ReasonMalformed, header: with("alg", 256)},
	{name: "typ jwt", reason: devicebound.ReasonMalformed, header: with("typ", "jwt")},
	{name: "no typ", reason: devicebound.ReasonMalformed, header: without1("typ")},
	{name: "crit", reason: devicebound.ReasonMalformed, header: with("crit", []string{"exp"})},
	{name: "no jti", reason: devicebound.ReasonMalformed, payload: without1("jti")},
	{name: "an empty jti", reason: devicebound.ReasonMalformed, payload: with("jti", "")},
	{name: "a jti that is an array", reason: devicebound.ReasonMalformed, payload: with("jti", []string{"a"})},
	{name: "a challenge that the server has not made", reason: devicebound.ReasonForged, payload: with("jti", "abc.def")},
	{name: "another audience", reason: devicebound.ReasonAudience, payload: with("aud", "https://evil.test"+devicebound.DefaultRefreshPath)},
	{name: "an audience with another path", reason: devicebound.ReasonAudience, payload: with("aud", "https://shop.test/another")},
	{name: "an audience that is an array", reason: devicebound.ReasonMalformed, payload: with("aud", []string{"https://shop.test"})},
	{name: "r and s in DER", reason: devicebound.ReasonSignature, sign: der},
	{name: "r and s in 63 bytes", reason: devicebound.ReasonSignature, sign: func(t *testing.T, key crypto.Signer, text string) []byte { return signature(t, key, text)[1:] }},
	{name: "r and s in 65 bytes", reason: devicebound.ReasonSignature, sign: func(t *testing.T, key crypto.Signer, text string) []byte {
		return append(signature(t, key, text), 0)
	}},
	{name: "r and s are zero", reason: devicebound.ReasonSignature, sign: func(*testing.T, crypto.Signer, string) []byte { return make([]byte, 64) }},
	{name: "r is zero", reason: devicebound.ReasonSignature, sign: changed(func(r, _, _ *big.Int) { r.SetInt64(0) })},
	{name: "s is zero", reason: devicebound.ReasonSignature, sign: changed(func(_, s, _ *big.Int) { s.SetInt64(0) })},
	{name: "r is the order of the curve", reason: devicebound.ReasonSignature, sign: changed(func(r, _, order *big.Int) { r.Set(order) })},
	{name: "s is the order of the curve", reason: devicebound.ReasonSignature, sign: changed(func(_, s, order *big.Int) { s.Set(order) })},
	{name: "r and s are all ones", reason: devicebound.ReasonSignature, sign: func(*testing.T, crypto.Signer, string) []byte { return bytes.Repeat([]byte{0xff}, 64) }},
	{name: "no signature", reason: devicebound.ReasonSignature, sign: func(*testing.T, crypto.Signer, string) []byte { return nil }},
	{name: "another key's signature", reason: devicebound.ReasonSignature, sign: func(t *testing.T, _ crypto.Signer, text string) []byte {
		return signature(t, newKey(t, "ES256"), text)
	}},
	{name: "the signature of another text", reason: devicebound.ReasonSignature, sign: func(t *testing.T, key crypto.Signer, text string) []byte {
		return signature(t, key, text+"a")
	}},
	{name: "RS256 with a key of ES256", reason: devicebound.ReasonSignature, header: with("alg", "RS256")},
	{name: "four parts", reason: devicebound.ReasonMalformed, whole: func(text string) string { return text + ".a" }},
	{name: "two parts", reason: devicebound.ReasonMalformed, whole: func(text string) string { return text[:strings.LastIndex(text, ".")] }},
	{name: "base64 with the letters of the other alphabet", reason: devicebound.ReasonMalformed, sign: func(*testing.T, crypto.Signer, string) []byte { return bytes.Repeat([]byte{0xff}, 64) },
		whole: func(text string) string { return strings.ReplaceAll(text, "_", "/") }},
	{name: "base64 with bits that are left over", reason: devicebound.ReasonMalformed, sign: func(*testing.T, crypto.Signer, string) []byte { return make([]byte, 64) },
		whole: func(text string) string { return text[:len(text)-1] + "B" }},
	{name: "a tab", reason: devicebound.ReasonMalformed, whole: func(text string) string { return strings.Replace(text, ".", "\t.", 1) }},
	{name: "a space", reason: devicebound.ReasonMalformed, whole: func(text string) string { return strings.Replace(text, ".", " .", 1) }},
	{name: "a line break, as obs-fold leaves it", reason: devicebound.ReasonMalformed, whole: func(text string) string { return strings.Replace(text, ".", "\r\n .", 1) }},
	{name: "not ASCII", reason: devicebound.ReasonMalformed, whole: func(text string) string { return text + "\u00e9" }},
	{name: "two values", reason: devicebound.ReasonMalformed, whole: func(text string) string { return text + ", " + text }},
	{name: "an inner list", reason: devicebound.ReasonMalformed, whole: func(text string) string { return "(" + text + ")" }},
	{name: "bytes", reason: devicebound.ReasonMalformed, whole: func(text string) string { return ":" + text + ":" }},
	{name: "a parameter without a name", reason: devicebound.ReasonMalformed, whole: func(text string) string { return text + ";=1" }},
	{name: "text after the string", reason: devicebound.ReasonMalformed, whole: func(text string) string { return `"` + text + `" a` }},
	{name: "an escape that RFC 9651 does not have", reason: devicebound.ReasonMalformed, whole: func(text string) string { return `"\e` + text[1:] + `"` }},
	{name: "a payload that is an array", reason: devicebound.ReasonMalformed, whole: func(text string) string {
		parts := strings.Split(text, ".")
		return parts[0] + "." + b64.EncodeToString([]byte("[]")) + "." + parts[2]
	}},
	{name: "text after the payload", reason: devicebound.ReasonMalformed, whole: func(text string) string {
		parts := strings.Split(text, ".")
		plain, _ := b64.DecodeString(parts[1])
		return parts[0] + "." + b64.EncodeToString(append(plain, "{}"...)) + "." + parts[2]
	}},
	{name: "no payload", reason: devicebound.ReasonMalformed, whole: func(text string) string {
		parts := strings.Split(text, ".")
		return parts[0] + ".." + parts[2]
	}},
	{name: "an empty audience", reason: devicebound.ReasonMalformed, payload: with("aud", "")},
	{name: "an audience that is null", reason: devicebound.ReasonMalformed, payload: with("aud", nil)},
	{name: "the audience over plain HTTP", reason: devicebound.ReasonAudience, payload: with("aud", "http://shop.test"+devicebound.DefaultRefreshPath)},
	{name: "a payload without base64", reason: devicebound.ReasonMalformed, header: with("b64", false)},
	{name: "base64 with padding", reason: devicebound.ReasonMalformed, whole: func(text string) string { return text + "=" }},
	{name: "a control character", reason: devicebound.ReasonMalformed, whole: func(text string) string { return "\x01" + text }},
	{name: "nothing", reason: devicebound.ReasonMalformed, whole: func(string) string { return "" }},
	{name: "too long", reason: devicebound.ReasonMalformed, payload: with("more", strings.Repeat("a", 9000))},
	{name: "a string that does not end", reason: devicebound.ReasonMalformed, whole: func(text string) string { return `"` + text }},
	{name: "a name twice", reason: devicebound.ReasonMalformed, whole: func(text string) string {
		header, rest, _ := strings.Cut(text, ".")
		plain, _ := b64.DecodeString(header)
		return b64.EncodeToString([]byte(`{"alg":"none",`+string(plain[1:]))) + "." + rest
	}},
}

// proof makes a forged proof. key is nil for one that brings no key.
func (f forgery) proof(t *testing.T, key crypto.Signer, challenge string, jwk bool) string {
	t.Helper()
	header, payload := map[string]any{"alg": algOf(key), "typ": "dbsc+jwt"}, map[string]any{"jti": challenge}
	if jwk {
		header["jwk"] = jwkOf(t, key)
	}
	if f.header != nil {
		f.header(header)
	}
	if f.payload != nil {
		f.payload(payload)
	}
	text := object(header) + "." + object(payload)
	sign := f.sign
	if sign == nil {
		sign = signature0
	}
	text += "." + b64.EncodeToString(sign(t, key, text))
	if f.whole != nil {
		text = f.whole(text)
	}
	return text
}

func signature0(t *testing.T, key crypto.Signer, text string) []byte { return signature(t, key, text) }

// jwk changes the key in the header.
func jwk(name string, value any) func(map[string]any) {
	return func(h map[string]any) {
		key := maps.Clone(h["jwk"].(map[string]any))
		if key[name] = value; value == nil {
			delete(key, name)
		}
		h["jwk"] = key
	}
}

// coordinate is a number of so many bytes. It is odd, as a modulus is.
func coordinate(bytes int) string {
	n := make([]byte, bytes)
	n[0], n[bytes-1] = 1, 1
	return b64.EncodeToString(n)
}

// recode changes the text of a member of the key.
func recode(name string, change func(text string) string) func(map[string]any) {
	return func(h map[string]any) { jwk(name, change(h["jwk"].(map[string]any)[name].(string)))(h) }
}

// changed returns a signature with s or r changed to a number of the curve.
func changed(change func(r, s, order *big.Int)) func(*testing.T, crypto.Signer, string) []byte {
	return func(t *testing.T, key crypto.Signer, text string) []byte {
		both := signature(t, key, text)
		r, s := new(big.Int).SetBytes(both[:32]), new(big.Int).SetBytes(both[32:])
		change(r, s, elliptic.P256().Params().N)
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

var badKeys = []forgery{
	{name: "no key", reason: devicebound.ReasonMalformed, header: without1("jwk")},
	{name: "a key that is a string", reason: devicebound.ReasonKey, header: with("jwk", "key")},
	{name: "another curve", reason: devicebound.ReasonKey, header: jwk("crv", "P-384")},
	{name: "no curve", reason: devicebound.ReasonKey, header: jwk("crv", nil)},
	{name: "another type of key", reason: devicebound.ReasonKey, header: jwk("kty", "OKP")},
	{name: "a symmetric key", reason: devicebound.ReasonKey, header: with("jwk", map[string]any{"kty": "oct", "k": "AAAA"})},
	{name: "a point off the curve", reason: devicebound.ReasonKey, header: jwk("x", coordinate(32))},
	{name: "the point at infinity", reason: devicebound.ReasonKey, header: func(h map[string]any) {
		jwk("x", b64.EncodeToString(make([]byte, 32)))(h)
		jwk("y", b64.EncodeToString(make([]byte, 32)))(h)
	}},
	{name: "x of 31 bytes", reason: devicebound.ReasonKey, header: jwk("x", coordinate(31))},
	{name: "x of 33 bytes", reason: devicebound.ReasonKey, header: func(h map[string]any) {
		x, _ := b64.DecodeString(h["jwk"].(map[string]any)["x"].(string))
		jwk("x", b64.EncodeToString(append([]byte{0}, x...)))(h)
	}},
	{name: "a key of P-384 that says P-256", reason: devicebound.ReasonKey, header: func(h map[string]any) {
		key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err != nil {
			panic(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		jwk("x", b64.EncodeToString(point[1:49]))(h)
		jwk("y", b64.EncodeToString(point[49:]))(h)
	}},
	{name: "x with padding", reason: devicebound.ReasonKey, header: recode("x", func(text string) string { return text + "=" })},
	{name: "x with a line break", reason: devicebound.ReasonKey, header: recode("x", func(text string) string { return text[:4] + "\n" + text[4:] })},
	{name: "x with a space", reason: devicebound.ReasonKey, header: recode("x", func(text string) string { return text[:4] + " " + text[4:] })},
	{name: "x that is a number", reason: devicebound.ReasonKey, header: jwk("x", 5)},
	{name: "x that is larger than the field", reason: devicebound.ReasonKey, header: jwk("x", b64.EncodeToString(bytes.Repeat([]byte{0xff}, 32)))},
	{name: "y of 31 bytes", reason: devicebound.ReasonKey, header: jwk("y", coordinate(31))},
	{name: "a null key", reason: devicebound.ReasonKey, header: with("jwk", nil)},
	{name: "an empty key", reason: devicebound.ReasonKey, header: with("jwk", map[string]any{})},
	{name: "no y", reason: devicebound.ReasonKey, header: jwk("y", nil)},
	{name: "a private key", reason: devicebound.ReasonKey, header: jwk("d", coordinate(32))},
	{name: "another key than the signature's", reason: devicebound.ReasonSignature, header: func(h map[string]any) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		jwk("x", b64.EncodeToString(point[1:33]))(h)
		jwk("y", b64.EncodeToString(point[33:]))(h)
	}},
	{name: "RSA, of 1024 bits", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("n", coordinate(128))},
	{name: "RSA, of 2041 bits", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("n", coordinate(256))},
	{name: "RSA, of 8192 bits", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("n", b64.EncodeToString(bytes.Repeat([]byte{0xff}, 1024)))},
	{name: "RSA, of 4097 bits", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("n", coordinate(513))},
	{name: "RSA, an even modulus", reason: devicebound.ReasonKey, alg: "RS256", header: recode("n", func(text string) string {
		n, _ := b64.DecodeString(text)
		n[len(n)-1] &^= 1
		return b64.EncodeToString(n)
	})},
	{name: "RSA, an exponent with a leading zero", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("e", "AAEAAQ")},
	{name: "RSA, an exponent of 32 bits", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("e", b64.EncodeToString([]byte{0x80, 0, 0, 1}))},
	{name: "RSA, the exponent 0", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("e", "AA")},
	{name: "RSA, an exponent as large as the modulus", reason: devicebound.ReasonKey, alg: "RS256", header: func(h map[string]any) { jwk("e", h["jwk"].(map[string]any)["n"])(h) }},
	{name: "RSA, a private key", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("d", coordinate(256))},
	{name: "RSA, a modulus with a leading zero", reason: devicebound.ReasonKey, alg: "RS256", header: func(h map[string]any) {
		n, _ := b64.DecodeString(h["jwk"].(map[string]any)["n"].(string))
		jwk("n", b64.EncodeToString(append([]byte{0}, n...)))(h)
	}},
	{name: "RSA, the exponent 3", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("e", "Aw")},
	{name: "RSA, the exponent 1", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("e", "AQ")},
	{name: "RSA, an even exponent", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("e", b64.EncodeToString([]byte{1, 0, 2}))},
	{name: "RSA, an exponent of 8 bytes", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("e", b64.EncodeToString([]byte{1, 0, 0, 0, 0, 0, 0, 1}))},
	{name: "RSA, no exponent", reason: devicebound.ReasonKey, alg: "RS256", header: jwk("e", nil)},
	{name: "RSA with ES256", reason: devicebound.ReasonKey, alg: "RS256", header: with("alg", "ES256")},
	{name: "RSA, PSS in place of PKCS #1", reason: devicebound.ReasonMalformed, alg: "RS256", header: with("alg", "PS256")},
	{name: "RSA, a short signature", reason: devicebound.ReasonSignature, alg: "RS256", sign: func(t *testing.T, key crypto.Signer, text string) []byte { return signature(t, key, text)[1:] }},
}

func TestForgedRegistrations(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b := newBrowser(t, c)
	field := b.send(n, b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	m := registration.FindStringSubmatch(field)
	for _, f := range append(badKeys, forgeries...) {
		r := b.request("POST", m[1])
		r.Header.Set("Secure-Session-Response", f.proof(t, newKey(t, f.alg), m[2], true))
		if f.name == "RS256 with a key of ES256" {
			f.reason = devicebound.ReasonKey
		}
		res := n.answer(r)
		wantStatus(t, f.name, res, http.StatusForbidden)
		if e, _ := n.last(devicebound.EventNotRegistered); e.Reason != f.reason {
			t.Errorf("%s: the reason is %q, want %q", f.name, e.Reason, f.reason)
		}
		if len(res.Header["Set-Cookie"]) > 0 || res.Header.Get("Secure-Session-Challenge") != "" {
			t.Errorf("%s: the answer is %v", f.name, res.Header)
		}
	}
	r := b.request("POST", m[1])
	wantStatus(t, "no proof", n.answer(r), http.StatusForbidden)
	r.Header["Secure-Session-Response"] = []string{"a.b.c", "a.b.c"}
	wantStatus(t, "two proofs", n.answer(r), http.StatusForbidden)
	wantStatus(t, "GET", n.answer(b.request("GET", m[1])), http.StatusMethodNotAllowed)
	wantStatus(t, "a page", b.send(n, b.request("GET", "/page")), http.StatusOK)
	wantStatus(t, "the good registration", b.register(n, field), http.StatusOK)
}

// A challenge counts for one login, for one key, and for 5 minutes.
func TestChallengesOfRegistrations(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b, other := newBrowser(t, c), newBrowser(t, c)
	field := b.send(n, b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	c.pass(time.Millisecond)
	foreign := other.send(n, other.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	why := func(what string, res *http.Response, want devicebound.Reason) {
		t.Helper()
		wantStatus(t, what, res, http.StatusForbidden)
		if e, _ := n.last(devicebound.EventNotRegistered); e.Reason != want {
			t.Errorf("%s: the reason is %q, want %q", what, e.Reason, want)
		}
	}
	why("the challenge of another session", b.register(n, foreign), devicebound.ReasonForged)
	c.pass(5*time.Minute + time.Second)
	late := b.register(n, field)
	why("an expired challenge", late, devicebound.ReasonExpired)
	fresh := challenge.FindStringSubmatch(late.Header.Get("Secure-Session-Challenge"))
	if fresh == nil {
		t.Fatal("no new challenge")
	}
	field = `(ES256 RS256);path="/dbsc/register";challenge="` + fresh[1] + `";authorization="of the first challenge"`
	r, took := b.registering(field)
	again := r.Clone(t.Context())
	res := b.send(n, r)
	took(res)
	wantStatus(t, "the new challenge", res, http.StatusOK)
	why("the same registration again", n.answer(again), devicebound.ReasonRegistered)
	thief := b.thief()
	why("another key with the same challenge", thief.register(n, field), devicebound.ReasonRegistered)
	c.pass(10 * time.Minute)
	wantStatus(t, "the owner", b.visit(n, "/page"), http.StatusOK)
}

func TestForgedProofs(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b, other := newBrowser(t, c), newBrowser(t, c)
	login(t, n, b)
	other.visit(n, "/other")
	c.pass(10 * time.Minute) // the cookie has expired: it is not what ends here
	send := func(proof string) *http.Response {
		r := b.request("POST", b.refresh)
		r.Header.Set("Sec-Secure-Session-Id", b.id)
		r.Header.Set("Secure-Session-Response", proof)
		return n.answer(r)
	}
	refused := func(what, proof string, want devicebound.Reason) {
		t.Helper()
		res := send(proof)
		wantStatus(t, what, res, http.StatusForbidden)
		if e, _ := n.last(devicebound.EventNotRefreshed); e.Reason != want {
			t.Errorf("%s: the reason is %q, want %q", what, e.Reason, want)
		}
		if !challenge.MatchString(res.Header.Get("Secure-Session-Challenge")) || len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: the answer is %v", what, res.Header)
		}
	}
	for _, f := range forgeries {
		refused(f.name, f.proof(t, b.key, b.challenge, false), f.reason)
	}
	attacker := newKey(t, "ES256")
	refused("the key of another session", signProof(t, other.key, b.challenge, false), devicebound.ReasonSignature)
	refused("the challenge of another session", signProof(t, b.key, other.challenge, false), devicebound.ReasonForged)
	refused("a key that the proof brings", signProof(t, attacker, b.challenge, true), devicebound.ReasonSignature)
	refused("RS256 with an own key", signProof(t, rsaKey(), b.challenge, true), devicebound.ReasonSignature)
	field := registration.FindStringSubmatch(newBrowser(t, c).visit(n, "/login").Header.Get("Secure-Session-Registration"))
	refused("the challenge of a login", signProof(t, b.key, field[2], false), devicebound.ReasonForged)

	used := b.challenge
	wantStatus(t, "the owner", b.visit(n, "/page"), http.StatusOK)
	c.pass(10 * time.Minute)
	refused("a replayed challenge", signProof(t, b.key, used, false), devicebound.ReasonOld)
	old := b.challenge
	c.pass(6 * time.Minute)
	refused("an expired challenge", signProof(t, b.key, old, false), devicebound.ReasonExpired)
	c.pass(time.Hour)
	wantStatus(t, "the owner", b.visit(n, "/page"), http.StatusOK)
}

// What is allowed beside the usual: a string of RFC 9651, the audience, members to come.
func TestProofsInOtherForms(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b := newBrowser(t, c)
	login(t, n, b)
	for _, f := range []forgery{
		{name: "quoted", whole: func(text string) string { return `"` + text + `"` }},
		{name: "with parameters", whole: func(text string) string { return text + `;a;b=?1;c="d;\"e";f=:YQ==:; g=-1.5` }},
		{name: "quoted, with parameters", whole: func(text string) string { return ` "` + text + `";a=1;a=2 ` }},
		{name: "with the larger s", sign: changed(func(_, s, order *big.Int) {
			if larger := new(big.Int).Sub(order, s); larger.Cmp(s) > 0 {
				s.Set(larger)
			}
		})},
		{name: "with an audience", payload: with("aud", "https://shop.test"+devicebound.DefaultRefreshPath)},
		{name: "with other members", payload: with("iat", 9e15), header: with("kid", "a")},
		{name: "with members that this package does not use", header: with("jku", "https://evil.test"), payload: with("exp", 1)},
	} {
		c.pass(10 * time.Minute)
		r := b.request("POST", b.refresh)
		r.Header.Set("Sec-Secure-Session-Id", `"`+b.id+`"`)
		r.Header.Set("Secure-Session-Response", f.proof(t, b.key, b.challenge, false))
		res := b.send(n, r)
		wantStatus(t, f.name, res, http.StatusOK)
		b.obey(res)
	}
	// A proxy has replaced Host.
	proxied := newNode(t, c, session.Config{}, devicebound.Config{Origin: "https://shop.example"})
	b = newBrowser(t, c)
	login(t, proxied, b)
	c.pass(10 * time.Minute)
	r := b.request("POST", b.refresh)
	r.Host = "10.0.0.1:8080"
	r.Header.Set("Secure-Session-Response", forgery{payload: with("aud", "https://shop.example"+devicebound.DefaultRefreshPath)}.proof(t, b.key, b.challenge, false))
	wantStatus(t, "behind a proxy", b.send(proxied, r), http.StatusOK)
}

// Proofs that a real Chromium has made.
func TestProofsOfChromium(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/chromium-*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head, jws, _ := strings.Cut(string(file), "\n\n")
		fields := map[string]string{}
		for line := range strings.Lines(head) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			fields[name] = value
		}
		jws = strings.TrimSpace(jws)
		if err := devicebound.CheckProof(jws, fields["key"], fields["challenge"], fields["aud"]); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if devicebound.CheckProof(strings.Replace(jws, ".", ".A", 1), fields["key"], fields["challenge"], fields["aud"]) == nil {
			t.Errorf("%s: a changed proof is accepted", path)
		}
	}
}
