package cookie_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/nestsession/session/cookie"
)

// Plain and slow versions of the functions of the package, which the fuzz targets
// compare with.

func slowLookup(lines []string, name string) (first string, n int) {
	for pair := range strings.SplitSeq(strings.Join(lines, "; "), ";") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || strings.Trim(key, " \t") != name {
			continue
		}
		if n++; n > 1 {
			continue
		}
		first = strings.Trim(value, " \t")
		if strings.HasPrefix(first, `"`) && strings.HasSuffix(first, `"`) {
			first = strings.TrimPrefix(strings.TrimSuffix(first, `"`), `"`)
		}
	}
	return first, n
}

// slowUnescape escapes the raw bytes above ASCII, each as the character of its
// number, so that net/url can do the rest.
func slowUnescape(value string) string {
	var ascii, raw strings.Builder
	for i := range len(value) {
		raw.WriteRune(rune(value[i]))
		if value[i] < utf8.RuneSelf {
			ascii.WriteByte(value[i])
			continue
		}
		for _, c := range []byte(string(rune(value[i]))) {
			fmt.Fprintf(&ascii, "%%%02X", c)
		}
	}
	text, err := url.PathUnescape(ascii.String())
	if err != nil || !utf8.ValidString(text) {
		return raw.String()
	}
	return text
}

func slowMAC(secret, id string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(id))
	return strings.TrimRight(base64.StdEncoding.EncodeToString(h.Sum(nil)), "=")
}

func slowVerify(value string, secrets ...string) (id string, secret int, err error) {
	text, signed := strings.CutPrefix(slowUnescape(value), "s:")
	dot := strings.LastIndexByte(text, '.')
	if len(value) > 4096 || !signed || dot < 1 {
		return "", 0, cookie.ErrMalformed
	}
	for i := range secrets {
		if text == text[:dot]+"."+slowMAC(secrets[i], text[:dot]) {
			return text[:dot], i, nil
		}
	}
	return "", 0, cookie.ErrSignature
}

// The grammars of RFC 6265, 4.1.1, with express-session's deviations.
var (
	nameGrammar   = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	valueGrammar  = regexp.MustCompile(`^[!#-+\--:<-\[\]-~]*$`)
	domainGrammar = regexp.MustCompile(`^(\.?LABEL(\.LABEL)*)?$`)
	pathGrammar   = regexp.MustCompile(`^[ -:=-~]*$`)
)

func init() {
	label := "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
	domainGrammar = regexp.MustCompile(strings.ReplaceAll(domainGrammar.String(), "LABEL", label))
}
