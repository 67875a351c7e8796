package cookie

import (
	"strconv"
	"time"
)

// SameSite says which requests from other sites include the cookie.
type SameSite string

const (
	SameSiteOmit   SameSite = ""       // no attribute; browsers have different defaults
	SameSiteLax    SameSite = "Lax"    // when a link is followed
	SameSiteStrict SameSite = "Strict" // never
	SameSiteNone   SameSite = "None"   // always; browsers require Secure with it
)

// Priority says which cookies Chromium drops last when there are too many.
type Priority string

const (
	PriorityOmit   Priority = ""
	PriorityLow    Priority = "Low"
	PriorityMedium Priority = "Medium"
	PriorityHigh   Priority = "High"
)

// Attributes are the attributes of a Set-Cookie field. The zero value has none.
type Attributes struct {
	Domain      string    // "" for only the host that sends it; written as it is
	Path        string    // "" for the folder of the request
	MaxAge      int       // in seconds, for clients whose clock is wrong; negative: expired; zero: no attribute
	Expires     time.Time // to the second, fractions are cut off; zero for until the browser closes
	HTTPOnly    bool      // scripts cannot read it
	Secure      bool      // only over TLS
	Partitioned bool      // kept apart by the site of the page (CHIPS)
	Priority    Priority
	SameSite    SameSite
}

// Append appends the value of a Set-Cookie field: name, value, and the
// attributes in express-session's order and spelling. Max-Age, which express-session
// does not send, is before Expires. A nil a has no attributes.
//
// Append writes nothing that [ValidPair] or [Attributes.Validate] refuses, and
// returns dst unchanged. So nothing can be injected into a response, even if the
// caller does not validate (CVE-2024-47764).
func Append(dst []byte, name, value string, a *Attributes) []byte {
	if ValidPair(name, value) != nil || a.Validate() != nil {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, '=')
	return a.append(append(dst, value...))
}

// AppendCookie is [Append] with the id, signed by [Signer.AppendValue], as the value.
// It writes the whole field of a session's cookie without an intermediate string.
func (s *Signer) AppendCookie(dst []byte, name, id string, a *Attributes) []byte {
	if ValidName(name) != nil || a.Validate() != nil {
		return dst
	}
	start := len(dst)
	dst = append(dst, name...)
	dst = append(dst, '=')
	dst = s.AppendValue(dst, id)
	if len(dst)-start-len("=") > MaxSize {
		return dst[:start]
	}
	return a.append(dst)
}

// append writes the attributes as they are.
func (a *Attributes) append(dst []byte) []byte {
	if a == nil {
		return dst
	}
	if a.Domain != "" {
		dst = append(dst, "; Domain="...)
		dst = append(dst, a.Domain...)
	}
	if a.Path != "" {
		dst = append(dst, "; Path="...)
		dst = append(dst, a.Path...)
	}
	if a.MaxAge != 0 {
		dst = strconv.AppendInt(append(dst, "; Max-Age="...), int64(max(a.MaxAge, 0)), 10)
	}
	if !a.Expires.IsZero() {
		dst = append(dst, "; Expires="...)
		dst = appendDate(dst, a.Expires)
	}
	if a.HTTPOnly {
		dst = append(dst, "; HttpOnly"...)
	}
	if a.Secure {
		dst = append(dst, "; Secure"...)
	}
	if a.Partitioned {
		dst = append(dst, "; Partitioned"...)
	}
	if a.Priority != "" {
		dst = append(dst, "; Priority="...)
		dst = append(dst, a.Priority...)
	}
	if a.SameSite != "" {
		dst = append(dst, "; SameSite="...)
		dst = append(dst, a.SameSite...)
	}
	return dst
}

// appendDate appends an IMF-fixdate (RFC 9110, 5.6.7). [time.Time.AppendFormat]
// would format years above 9999 differently from JavaScript's toUTCString.
func appendDate(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(dst, t.Weekday().String()[:3]...)
	dst = append(dst, ", "...)
	dst = appendPadded(dst, day, 2)
	dst = append(dst, ' ')
	dst = append(dst, month.String()[:3]...)
	dst = append(dst, ' ')
	dst = appendPadded(dst, year, 4)
	dst = append(dst, ' ')
	dst = appendPadded(dst, hour, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, minute, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, second, 2)
	return append(dst, " GMT"...)
}

// appendPadded appends n with leading zeroes, at least width digits.
func appendPadded(dst []byte, n, width int) []byte {
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	for limit := 10; width > 1; width, limit = width-1, limit*10 {
		if n < limit {
			for ; width > 1; width-- {
				dst = append(dst, '0')
			}
			break
		}
	}
	return strconv.AppendInt(dst, int64(n), 10)
}
