package web

import (
	"strings"
	"unicode"

	"github.com/mileusna/useragent"
)

// unknownDevice is a client that said nothing of itself.
const unknownDevice = "Unknown device"

// maxDeviceName is the longest name, in characters: a client can call itself anything.
const maxDeviceName = 60

// deviceName says what a client is, in words that its user knows it by: "Firefox on
// Linux". It is the client's own word, and good for telling one's devices apart, no more.
func deviceName(userAgent string) string {
	ua := useragent.Parse(userAgent)
	name, on := ua.Name, ua.OS
	if ua.Device == "iPhone" || ua.Device == "iPad" {
		on = ua.Device
	}
	if name == "" || name == userAgent {
		name, _, _ = strings.Cut(userAgent, "/")
	}
	if on != "" {
		name += " on " + on
	}
	return printable(name)
}

// printable leaves out what would not be seen, or would change how the text around it
// is.
func printable(name string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimSpace(name) {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			continue
		}
		if n++; n > maxDeviceName {
			b.WriteRune('…')
			break
		}
		b.WriteRune(r)
	}
	if b.Len() == 0 {
		return unknownDevice
	}
	return b.String()
}
