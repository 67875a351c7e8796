package devicebound

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signer signs the texts that the server gives to a browser and gets back, with the first
// key, and verifies them with all.
type signer [][]byte

func mac(key []byte, fields []string) string {
	h := hmac.New(sha256.New, key)
	for _, f := range fields {
		h.Write(strconv.AppendQuote(nil, f)) // so that no field can end in another place
	}
	return coding.EncodeToString(h.Sum(nil)[:16])
}

func (s signer) sign(fields ...string) string { return mac(s[0], fields) }

func (s signer) verify(text string, fields ...string) bool {
	for _, key := range s {
		if subtle.ConstantTimeCompare([]byte(text), []byte(mac(key, fields))) == 1 {
			return true
		}
	}
	return false
}

// registerWithin is how long the challenge of a login counts. The browser answers it at once.
const registerWithin = 5 * time.Minute

// purpose is what a challenge is for: the fields that its MAC is made of, besides the time.
type purpose []string

// registering is the purpose of the challenge of a login. It does not depend on the
// session's id, which a page may renew while the browser makes its key.
func registering(owner string, at time.Time) purpose {
	return purpose{"register", owner, strconv.FormatInt(at.UnixMilli(), 36)}
}

// refreshing is the purpose of the challenge for the proof after b's generation.
func refreshing(b binding) purpose {
	return purpose{"refresh", b.id, strconv.FormatUint(b.generation, 36)}
}

// challenge returns a text for the browser to sign. It begins with the last field of p.
func (s signer) challenge(p purpose, now time.Time) string {
	at := strconv.FormatInt(now.UnixMilli(), 36)
	return p[len(p)-1] + "." + at + "." + s.sign(append(p, at)...)
}

// generationOf returns the generation of a challenge that [refreshing] is the purpose of.
func generationOf(challenge string) uint64 {
	text, _, _ := strings.Cut(challenge, ".")
	generation, _ := strconv.ParseUint(text, 36, 64) // it counts only if the challenge does
	return generation
}

// answers returns why a challenge does not count; "" if it does.
func (s signer) answers(p purpose, challenge string, now time.Time, within time.Duration) Reason {
	parts := strings.Split(challenge, ".")
	if len(parts) != 3 || parts[0] != p[len(p)-1] || !s.verify(parts[2], append(p, parts[1])...) {
		return ReasonForged
	}
	ms, _ := strconv.ParseInt(parts[1], 36, 64) // this server has written it
	if now.Sub(time.UnixMilli(ms)) > within {
		return ReasonExpired
	}
	return ""
}

// cookieValue returns the value of the bound cookie of b's generation.
func (s signer) cookieValue(b binding) string {
	generation, until := strconv.FormatUint(b.generation, 36), strconv.FormatInt(b.until, 36)
	return generation + "." + until + "." + s.sign("cookie", b.id, generation, until)
}

// check returns why the bound cookies of a request do not count. It returns "" if one does,
// and its generation and expiry: b's; the one before, within overlap; or a later one, if b is
// from a cache that has not seen the last proof.
func (s signer) check(b binding, cookies []*http.Cookie, now time.Time, overlap time.Duration) (reason Reason, generation uint64, until int64) {
	reason = ReasonNoProof
	for _, c := range cookies {
		p := strings.Split(c.Value, ".")
		if len(p) != 3 || !s.verify(p[2], "cookie", b.id, p[0], p[1]) {
			if reason == ReasonNoProof {
				reason = ReasonForged
			}
			continue
		}
		generation, _ = strconv.ParseUint(p[0], 36, 64) // this server has written them
		until, _ = strconv.ParseInt(p[1], 36, 64)
		switch {
		case now.UnixMilli() >= until:
			reason = ReasonExpired
		case generation >= b.generation,
			generation+1 == b.generation && now.Before(time.UnixMilli(b.since).Add(overlap)):
			return "", generation, until
		default:
			reason = ReasonOld
		}
	}
	return reason, 0, 0
}
