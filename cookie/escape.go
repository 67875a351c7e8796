package cookie

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// plain has the bytes that encodeURIComponent leaves as they are (ECMA-262,
// 19.2.6.5): letters, digits and nine marks. The escapers of net/url differ.
var plain = func() (set [256]bool) {
	for c := range set {
		set[c] = '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' ||
			strings.IndexByte("-_.!~*'()", byte(c)) >= 0
	}
	return set
}()

// appendEscaped appends text escaped as by encodeURIComponent.
func appendEscaped(dst, text []byte) []byte {
	from := 0
	for i, c := range text {
		if !plain[c] {
			dst = append(append(dst, text[from:i]...), '%', upperHex[c>>4], upperHex[c&15])
			from = i + 1
		}
	}
	return append(dst, text[from:]...)
}

// appendUnescaped appends value as Node reads it: unescaped as by
// decodeURIComponent, or unchanged if that would fail.
func appendUnescaped(dst []byte, value string) []byte {
	start := len(dst)
	for rest := value; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			dst = append(dst, rest...)
			break
		}
		dst = append(dst, rest[:i]...)
		c, ok := unhex(rest[i:])
		if !ok {
			return appendLatin1(dst[:start], value)
		}
		dst = append(dst, c)
		rest = rest[i+3:]
	}
	if !isASCII(dst[start:]) {
		return appendUnescapedText(dst[:start], value)
	}
	return dst
}

// appendUnescapedText is appendUnescaped for values with bytes above ASCII, raw
// or escaped. The escapes must then be complete UTF-8 characters.
func appendUnescapedText(dst []byte, value string) []byte {
	start := len(dst)
	for rest := value; rest != ""; {
		if rest[0] != '%' {
			dst = appendLatin1(dst, rest[:1])
			rest = rest[1:]
			continue
		}
		at := len(dst)
		for more := true; more; more = !utf8.FullRune(dst[at:]) {
			c, ok := unhex(rest)
			if !ok {
				return appendLatin1(dst[:start], value)
			}
			dst = append(dst, c)
			rest = rest[3:]
		}
		if !utf8.Valid(dst[at:]) {
			return appendLatin1(dst[:start], value)
		}
	}
	return dst
}

// appendLatin1 appends value as Node reads the bytes of a header: each byte is the
// character with its number, whatever encoding the client used.
func appendLatin1(dst []byte, value string) []byte {
	for i := range len(value) {
		dst = utf8.AppendRune(dst, rune(value[i]))
	}
	return dst
}

// unhex returns the byte of the escape at the beginning of s.
func unhex(s string) (c byte, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := nibbles[s[1]], nibbles[s[2]]
	return high<<4 | low&15, high|low < 16
}

// nibbles has the values of the hexadecimal digits, and 16 for all else.
var nibbles = func() (set [256]byte) {
	for c := range set {
		set[c] = 16
		if i := bytes.IndexByte([]byte(upperHex), byte(c)); i >= 0 {
			set[c] = byte(i)
		}
		if 'a' <= c && c <= 'f' {
			set[c] = byte(c) - 'a' + 10
		}
	}
	return set
}()

// isASCII checks eight bytes at a time, because it runs on every cookie.
func isASCII(b []byte) bool {
	var seen uint64
	for ; len(b) >= 8; b = b[8:] {
		seen |= binary.LittleEndian.Uint64(b)
	}
	for _, c := range b {
		seen |= uint64(c)
	}
	return seen&0x8080808080808080 == 0
}
