package session

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nestsession/session/internal/document"
)

// parseCookie reads the cookie member of a document, in express-session's layout
// and with its leniency: a member that is missing has its default there, one of
// another type counts as not set.
func parseCookie(text []byte) (settings any, l document.Lifetime, ends document.Instant, err error) {
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil || c == nil {
		return nil, document.Lifetime{}, 0, errors.New("no cookie member that is an object")
	}
	k := &Cookie{Secure: Insecure, SameSite: SameSiteOmit, Path: "/"}
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
		k.Priority = priorityOf[strings.ToLower(text)]
	}
	if text, ok := c["sameSite"].(string); ok {
		if known, ok := sameSiteOf[strings.ToLower(text)]; ok {
			k.SameSite = known
		}
	} else if c["sameSite"] == true {
		k.SameSite = SameSiteStrict
	}
	if text, ok := c["expires"].(string); ok {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			ends = document.InstantOf(at)
		}
	}
	return k, document.ParseLifetime(c["originalMaxAge"]), ends, nil
}

// writeCookie is appendCookie for settings from parseCookie, with no lifetime and no date.
func writeCookie(settings any) []byte {
	return appendCookie(nil, settings.(*Cookie), document.Lifetime{}, 0)
}

// What express-session accepts, in any case of letters. Other texts stand for no attribute.
var (
	sameSiteOf = map[string]SameSite{"lax": SameSiteLax, "strict": SameSiteStrict, "none": SameSiteNone, "auto": SameSiteAuto}
	priorityOf = map[string]Priority{"low": PriorityLow, "medium": PriorityMedium, "high": PriorityHigh}
)

// appendCookie writes the cookie member's value as express-session does: its order,
// numbers and dates; what is not set is left out.
func appendCookie(dst []byte, k *Cookie, l document.Lifetime, expires document.Instant) []byte {
	dst = append(dst, `{"originalMaxAge":`...)
	switch {
	case l.Set:
		dst = strconv.AppendInt(dst, l.MS, 10)
	case l.Off:
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
	case l.Off:
		dst = append(dst, "false"...)
	case expires == 0:
		dst = append(dst, "null"...)
	default:
		dst = append(document.AppendDate(append(dst, '"'), expires.Time()), '"')
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
		dst = document.AppendJSONText(dst, k.Domain)
	}
	dst = append(dst, `,"path":`...)
	if k.Path == NoPath {
		dst = append(dst, "null"...) // a path that is missing is read as "/"
	} else {
		dst = document.AppendJSONText(dst, k.path())
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
