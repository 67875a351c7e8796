package session

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// The members of a document that are not the data's.
const (
	cookieKey = "cookie"        // express-session's
	metaKey   = "__nestsession" // ours; a name that express-session keeps like any data
)

// meta is our own bookkeeping in a document. Times are in ms since 1970.
type meta struct {
	Created   instant `json:"created,omitempty"`
	Used      instant `json:"used,omitempty"`
	Owner     string  `json:"owner,omitempty"`
	OwnCookie bool    `json:"ownCookie,omitempty"` // the session set its own cookie
	Successor string  `json:"successor,omitempty"` // renewed: the key to look under
	Until     instant `json:"until,omitempty"`     // renewed: for how long this one points there
}

// append writes the bookkeeping as the last member of a document, if there is any.
func (m *meta) append(dst []byte) []byte {
	if *m == (meta{}) {
		return dst
	}
	dst = append(dst, `,"`+metaKey+`":{`...)
	first := len(dst)
	moment := func(key string, i instant) {
		if i != 0 {
			dst = strconv.AppendInt(append(dst, key...), int64(i), 10)
		}
	}
	text := func(key, s string) {
		if s != "" {
			dst = appendJSONText(append(dst, key...), s)
		}
	}
	moment(`,"created":`, m.Created)
	moment(`,"used":`, m.Used)
	text(`,"owner":`, m.Owner)
	if m.OwnCookie {
		dst = append(dst, `,"ownCookie":true`...)
	}
	text(`,"successor":`, m.Successor)
	moment(`,"until":`, m.Until)
	dst = append(dst[:first], dst[first+1:]...) // the comma before the first
	return append(dst, '}')
}

// parseCookie reads the cookie member of a document, in express-session's layout
// and with its leniency: a member that is missing has its default there, one of
// another type counts as not set.
func parseCookie(text []byte) (Cookie, lifetime, error) {
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil || c == nil {
		return Cookie{}, lifetime{}, errors.New("no cookie member that is an object")
	}
	k := Cookie{Secure: Insecure, SameSite: SameSiteOmit, Path: "/"}
	if path, given := c["path"]; given {
		if k.Path, _ = path.(string); k.Path == "" {
			k.Path = NoPath
		}
	}
	if httpOnly, given := c["httpOnly"]; given {
		k.InsecureScriptAccess = httpOnly != true
	}
	k.Domain, _ = c["domain"].(string)
	switch c["secure"] {
	case true:
		k.Secure = SecureAlways
	case "auto":
		k.Secure = SecureAuto
	}
	k.Partitioned = c["partitioned"] == true
	if text, ok := c["priority"].(string); ok {
		k.Priority = parsePriority(text)
	}
	if text, ok := c["sameSite"].(string); ok {
		k.SameSite = parseSameSite(text)
	} else if c["sameSite"] == true {
		k.SameSite = SameSiteStrict
	}
	return k, parseLifetime(c["originalMaxAge"]), nil
}

// parseLifetime reads an originalMaxAge. One that is text makes express-session
// hang; the number that it spells is what was meant.
func parseLifetime(value any) lifetime {
	if value == false {
		return lifetime{off: true}
	}
	ms, ok := value.(float64)
	if text, isText := value.(string); isText {
		var err error
		ms, err = strconv.ParseFloat(text, 64)
		ok = err == nil
	}
	const longest = float64(math.MaxInt64 / int64(time.Millisecond))
	if !ok || math.IsNaN(ms) || math.Abs(ms) > longest {
		return lifetime{}
	}
	return lifetime{set: true, ms: int64(math.Floor(ms))}
}

func parseSameSite(text string) SameSite {
	switch strings.ToLower(text) {
	case "lax":
		return SameSiteLax
	case "strict":
		return SameSiteStrict
	case "none":
		return SameSiteNone
	case "auto":
		return SameSiteAuto
	}
	return SameSiteOmit
}

func parsePriority(text string) Priority {
	switch strings.ToLower(text) {
	case "low":
		return PriorityLow
	case "medium":
		return PriorityMedium
	case "high":
		return PriorityHigh
	}
	return PriorityOmit
}

// appendCookie writes the cookie member's value as express-session does: its order,
// numbers and dates; what is not set is left out.
func appendCookie(dst []byte, k *Cookie, l lifetime, expires instant) []byte {
	dst = append(dst, `{"originalMaxAge":`...)
	switch {
	case l.set:
		dst = strconv.AppendInt(dst, l.ms, 10)
	case l.off:
		dst = append(dst, "false"...)
	default:
		dst = append(dst, "null"...)
	}
	if k.Partitioned {
		dst = append(dst, `,"partitioned":true`...)
	}
	if p := k.Priority.attribute(); p != "" {
		dst = append(appendLower(append(dst, `,"priority":"`...), string(p)), '"')
	}
	dst = append(dst, `,"expires":`...)
	switch {
	case l.off:
		dst = append(dst, "false"...)
	case expires == 0:
		dst = append(dst, "null"...)
	default:
		dst = append(appendDate(append(dst, '"'), expires.time()), '"')
	}
	switch k.Secure {
	case SecureAlways:
		dst = append(dst, `,"secure":true`...)
	case SecureAuto:
		dst = append(dst, `,"secure":"auto"`...)
	}
	dst = append(dst, `,"httpOnly":`...)
	dst = strconv.AppendBool(dst, !k.InsecureScriptAccess)
	if k.Domain != "" {
		dst = append(dst, `,"domain":`...)
		dst = appendJSONText(dst, k.Domain)
	}
	dst = append(dst, `,"path":`...)
	if k.Path == NoPath {
		dst = append(dst, "null"...) // a path that is missing is read as "/"
	} else {
		dst = appendJSONText(dst, k.path())
	}
	switch k.SameSite {
	case SameSiteAuto:
		dst = append(dst, `,"sameSite":"auto"`...)
	case SameSiteOmit:
	default:
		dst = append(appendLower(append(dst, `,"sameSite":"`...), string(k.SameSite.attribute())), '"')
	}
	return append(dst, '}')
}

func appendLower(dst []byte, word string) []byte {
	for i := range len(word) {
		dst = append(dst, word[i]|0x20) // ASCII letters
	}
	return dst
}

// appendDate writes a date as JavaScript's toISOString, a step at a time: of each
// save it would else be a tenth.
func appendDate(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	}
	hour, minute, second := t.Clock()
	for _, part := range [...]struct {
		n, width int
		after    byte
	}{{year, 4, '-'}, {int(month), 2, '-'}, {day, 2, 'T'}, {hour, 2, ':'}, {minute, 2, ':'}, {second, 2, '.'}, {t.Nanosecond() / 1e6, 3, 'Z'}} {
		for place := [...]int{0, 1, 10, 100, 1000}[part.width]; place > 0; place /= 10 {
			dst = append(dst, byte('0'+part.n/place%10))
		}
		dst = append(dst, part.after)
	}
	return dst
}

// appendJSONText writes s as a JSON string; a path or domain seldom needs escaping.
func appendJSONText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			text, err := json.Marshal(s)
			if err == nil {
				return append(dst, text...)
			}
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}
