package cookie

import (
	"strconv"
	"time"
)

// SameSite says with which requests from other sites a browser sends the cookie.
type SameSite string

const (
	SameSiteOmit   SameSite = ""       // not said; browsers differ in what they then do
	SameSiteLax    SameSite = "Lax"    // when a link is followed
	SameSiteStrict SameSite = "Strict" // never
	SameSiteNone   SameSite = "None"   // always; browsers want Secure with it
)

// Priority says which cookies Chromium drops last when there are too many.
type Priority string

const (
	PriorityOmit   Priority = ""
	PriorityLow    Priority = "Low"
	PriorityMedium Priority = "Medium"
	PriorityHigh   Priority = "High"
)

// Attributes are what a Set-Cookie field says besides name and value. The zero
// value says nothing.
type Attributes struct {
	Domain      string    // "" for the host alone that sends it; written as it stands
	Path        string    // "" for the folder of the request
	MaxAge      int       // in seconds, for clients whose clock is wrong; negative: it is over; zero: not said
	Expires     time.Time // to the second, fractions are cut off; zero for until the browser closes
	HTTPOnly    bool      // scripts do not see it
	Secure      bool      // over TLS alone
	Partitioned bool      // kept apart by the site of the page (CHIPS)
	Priority    Priority
	SameSite    SameSite
}

// Append appends the value of a Set-Cookie field: name, value, and the
// attributes in express-session's order and spelling; Max-Age, which express-session
// never says, before Expires. A nil a has no attributes.
//
// What [ValidPair] or [Attributes.Validate] refuses is not written: dst comes
// back as it was, so that nothing can be smuggled into a response, even by a
// caller that does not ask them (CVE-2024-47764).
func Append(dst []byte, name, value string, a *Attributes) []byte {
	if ValidPair(name, value) != nil || a.Validate() != nil {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, '=')
	return a.append(append(dst, value...))
}

// AppendCookie is [Append] with what [Signer.AppendValue] makes of the id as the
// value: the whole field of a session's cookie, without a text in between.
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
// would cut years above 9999 otherwise than JavaScript's toUTCString.
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

// appendPadded appends n with zeroes in front, width digits at least.
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
