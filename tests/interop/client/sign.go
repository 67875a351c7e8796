package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// The client has its own code for signing and parsing cookies, so that it does not share the
// library's mistakes.

// Sign returns the value of a session cookie, unescaped: "s:", the id, a dot, and the HMAC-SHA256
// of the id in base64 without padding.
func Sign(secret, id string) string {
	return "s:" + id + "." + signature(secret, id)
}

func signature(secret, id string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(id))
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

// Verify returns the id in an unescaped value, and which of the secrets signed it.
func Verify(value string, secrets []string) (id string, by int, ok bool) {
	id, sig, ok := Split(value)
	if !ok {
		return "", 0, false
	}
	for i, s := range secrets {
		if signature(s, id) == sig {
			return id, i, true
		}
	}
	return "", 0, false
}

// Split splits an unescaped value after "s:" and at the last dot.
func Split(value string) (id, sig string, ok bool) {
	rest, ok := strings.CutPrefix(value, "s:")
	dot := strings.LastIndexByte(rest, '.')
	if !ok || dot < 0 {
		return "", "", false
	}
	return rest[:dot], rest[dot+1:], true
}

// Escape is encodeURIComponent of UTF-8 text.
func Escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; isPlain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("-_.!~*'()", c) >= 0
}

// Unescape is decodeURIComponent; a text with an invalid escape is returned unchanged.
func Unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i+2 >= len(text) {
			return text
		}
		c, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return text
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String()
}
