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

// refreshing is the purpose of the challenge for the proof after b.
func refreshing(b binding) purpose {
	return purpose{"refresh", b.id, strconv.FormatUint(b.generation, 36)}
}

func (s signer) challenge(p purpose, now time.Time) string {
	at := strconv.FormatInt(now.UnixMilli(), 36)
	return at + "." + s.sign(append(p, at)...)
}

// answers returns why a challenge does not count; "" if it does.
func (s signer) answers(p purpose, challenge string, now time.Time, within time.Duration) Reason {
	at, sum, _ := strings.Cut(challenge, ".")
	ms, err := strconv.ParseInt(at, 36, 64)
	if err != nil || !s.verify(sum, append(p, at)...) {
		return ReasonForged
	}
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

// check returns why the bound cookies of a request do not count; "" if one does, which may
// be that of the generation before, within overlap. current reports that it is b's own.
func (s signer) check(b binding, cookies []*http.Cookie, now time.Time, overlap time.Duration) (reason Reason, current bool) {
	reason = ReasonNoProof
	for _, c := range cookies {
		p := strings.Split(c.Value, ".")
		if len(p) != 3 || !s.verify(p[2], "cookie", b.id, p[0], p[1]) {
			if reason == ReasonNoProof {
				reason = ReasonForged
			}
			continue
		}
		generation, _ := strconv.ParseUint(p[0], 36, 64) // this server has written them
		until, _ := strconv.ParseInt(p[1], 36, 64)
		switch {
		case now.UnixMilli() >= until:
			reason = ReasonExpired
		case generation == b.generation:
			return "", true
		case generation+1 == b.generation && now.Before(time.UnixMilli(b.since).Add(overlap)):
			return "", false
		default:
			reason = ReasonOld
		}
	}
	return reason, false
}
