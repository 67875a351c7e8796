package devicebound

import (
	"net/http"
	"strings"
)

// The fields of the protocol.
const (
	fieldRegistration = "Secure-Session-Registration"
	fieldChallenge    = "Secure-Session-Challenge"
	fieldResponse     = "Secure-Session-Response"
	fieldSkipped      = "Secure-Session-Skipped"
)

// maxField is the length of the longest Secure-Session-Skipped that is read, and maxReason
// that of a reason in it.
const (
	maxField  = 1 << 10
	maxReason = 64
)

// quote returns a string of RFC 9651. text is ASCII without control characters.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// single returns the value of a field that has one: a string of RFC 9651, or, as Chromium
// sends it, the same without quotes. Parameters are skipped. It returns false if there is no
// value, another one or several.
func single(h http.Header, field string) (value string, ok bool) {
	lines := h[field]
	if len(lines) != 1 || len(lines[0]) > maxJWS+2 {
		return "", false
	}
	text := strings.Trim(lines[0], " ")
	if strings.HasPrefix(text, `"`) {
		value, text, ok = parseString(text)
	} else {
		value, text = token(text)
		ok = value != ""
	}
	if ok {
		_, text, ok = parameters(text)
	}
	return value, ok && text == ""
}

// parseString reads a string of RFC 9651 at the beginning of text.
func parseString(text string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], true
		case c == '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", "", false
			}
			b.WriteByte(text[i])
		case c < ' ' || c > '~':
			return "", "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// token reads a token or key of RFC 9651 at the beginning of text; "" if there is none.
func token(text string) (value, rest string) {
	end := strings.IndexFunc(text, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("_-.*:/%!#$&'+^`|~", c))
	})
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:]
}

// skipped returns the reason that Secure-Session-Skipped gives for the session with that
// identifier, or for a session that it does not name; "" if there is none. The field is a
// list of tokens, each with the parameter session_identifier.
func skipped(h http.Header, id string) string {
	for _, line := range h[fieldSkipped] {
		if len(line) > maxField {
			continue
		}
		for text := strings.Trim(line, " \t"); text != ""; {
			var reason string
			if reason, text = token(text); reason == "" {
				break
			}
			of, rest, ok := parameters(text)
			if !ok {
				break
			}
			if (of == "" || of == id) && len(reason) <= maxReason {
				return reason
			}
			after, more := strings.CutPrefix(strings.TrimLeft(rest, " \t"), ",")
			if !more {
				break
			}
			text = strings.TrimLeft(after, " \t")
		}
	}
	return ""
}

// parameters reads the parameters at the beginning of text, and returns the value of that with
// the name session_identifier, if it is a string or a token. Of several the last one counts.
func parameters(text string) (id, rest string, ok bool) {
	for strings.HasPrefix(text, ";") {
		var name, value string
		if name, text = token(strings.TrimLeft(text[1:], " ")); name == "" {
			return "", "", false
		}
		if after, found := strings.CutPrefix(text, "="); found {
			if text = after; strings.HasPrefix(text, `"`) {
				if value, text, ok = parseString(text); !ok {
					return "", "", false
				}
			} else { // also a number, a boolean, bytes or a date
				end := strings.IndexAny(text+",", ";, \t")
				if value, text = text[:end], text[end:]; value == "" {
					return "", "", false
				}
			}
		}
		if name == "session_identifier" {
			id = value
		}
	}
	return id, text, true
}
