package cookie

import (
	"strings"
	"time"
	"unicode/utf8"
)

// MaxSize is the largest sum of the bytes of name and value: browsers drop a larger
// cookie (RFC 6265bis, 5.7; ASVS 5.0, 3.3.5).
const MaxSize = 4096

// FieldError says why a cookie cannot be sent. It does not contain the invalid
// value.
type FieldError struct {
	Field  string // Name, Value, ID, or a field of [Attributes]
	Reason string
}

func (e *FieldError) Error() string { return "cookie: " + e.Field + " " + e.Reason }

// ValidName returns nil if a cookie can have the name: a token of RFC 9110,
// 5.6.2, which has only letters, digits and !#$%&'*+-.^_`|~. Otherwise it returns a
// [*FieldError].
func ValidName(name string) error {
	if name == "" {
		return &FieldError{"Name", "is empty"}
	}
	if len(name) > MaxSize {
		return tooLong()
	}
	for i := range len(name) {
		if kinds[name[i]]&inName == 0 {
			return &FieldError{"Name", "has a character other than letters, digits and !#$%&'*+-.^_`|~"}
		}
	}
	return nil
}

// ValidPair returns nil if name and value can be sent as they are: the name is
// a [ValidName], the value needs no escaping (RFC 6265, 4.1.1), and together they
// have at most [MaxSize] bytes. Otherwise it returns a [*FieldError]. A value of
// [Signer.AppendValue] can only be too long.
func ValidPair(name, value string) error {
	if err := ValidName(name); err != nil {
		return err
	}
	if len(name)+len(value) > MaxSize {
		return tooLong()
	}
	for i := range len(value) {
		if kinds[value[i]]&inValue == 0 {
			return &FieldError{"Value", "has a character that must be escaped"}
		}
	}
	return nil
}

func tooLong() error {
	return &FieldError{"Name", "and value are over 4096 bytes together"}
}

// ValidID returns nil if [Signer.Verify] returns the id after
// [Signer.AppendValue]: it is not empty, and it is UTF-8, because neither this
// package nor Node unescapes anything else. Otherwise it returns a [*FieldError].
func ValidID(id string) error {
	if id == "" {
		return &FieldError{"ID", "is empty"}
	}
	if !utf8.ValidString(id) {
		return &FieldError{"ID", "is not UTF-8"}
	}
	return nil
}

// Validate returns nil if a Set-Cookie field can have these attributes, else a
// [*FieldError]. It refuses what express-session refuses to send, which includes
// everything that could end an attribute and begin another (CVE-2024-47764). It
// does not check whether a browser would keep the cookie. A nil a is valid.
func (a *Attributes) Validate() error {
	switch {
	case a == nil:
		return nil
	case !validDomain(a.Domain):
		return &FieldError{"Domain", "is not a host name: labels of letters, digits and hyphens with dots between"}
	case !validPath(a.Path):
		return &FieldError{"Path", `has a semicolon, a "<" or a character beyond printable ASCII`}
	case !validDate(a.Expires):
		return &FieldError{"Expires", "is more than 100,000,000 days from 1970, which a JavaScript Date cannot hold"}
	}
	switch a.Priority {
	case PriorityOmit, PriorityLow, PriorityMedium, PriorityHigh:
	default:
		return &FieldError{"Priority", "is none of Low, Medium and High"}
	}
	switch a.SameSite {
	case SameSiteOmit, SameSiteLax, SameSiteStrict, SameSiteNone:
	default:
		return &FieldError{"SameSite", "is none of Lax, Strict and None"}
	}
	return nil
}

// validDomain allows a leading dot, which browsers ignore, and no trailing dot,
// because browsers would then ignore the whole attribute (RFC 6265, 5.2.3).
func validDomain(domain string) bool {
	if domain == "" {
		return true
	}
	for label := range strings.SplitSeq(strings.TrimPrefix(domain, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if kinds[label[i]]&inLabel == 0 {
				return false
			}
		}
	}
	return true
}

func validPath(path string) bool {
	for i := range len(path) {
		if kinds[path[i]]&inPath == 0 {
			return false
		}
	}
	return true
}

// farthest is the largest distance of a JavaScript Date from 1970 (ECMA-262,
// 21.4.1.1), in seconds.
const farthest = 100_000_000 * 24 * 60 * 60

func validDate(t time.Time) bool {
	s := t.Unix()
	return -farthest <= s && (s < farthest || s == farthest && t.Nanosecond() == 0)
}

const (
	inName = 1 << iota
	inValue
	inLabel
	inPath
)

// kinds says where each byte is allowed.
var kinds = func() (kinds [256]uint8) {
	for c := byte(' '); c <= '~'; c++ {
		alnum := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if alnum || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			kinds[c] |= inName
		}
		if strings.IndexByte(` ",;\`, c) < 0 {
			kinds[c] |= inValue
		}
		if alnum || c == '-' {
			kinds[c] |= inLabel
		}
		if c != ';' && c != '<' {
			kinds[c] |= inPath
		}
	}
	return kinds
}()

// BareName returns a cookie's name without the prefix "__Host-" or "__Secure-", for which
// browsers have stricter rules (RFC 6265bis section 4.1.3).
func BareName(name string) string {
	for _, prefix := range []string{"__Host-", "__Secure-"} {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return name[len(prefix):]
		}
	}
	return name
}
