package web

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/mileusna/useragent"

	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// unknownDevice is the name of a client that did not say what it is.
const unknownDevice = ""

// onSystem is between a client's name and that of its system, in sessions.
const onSystem = " on "

// inLanguage is a device's name as a user reads it.
func inLanguage(t *text.Text, device string) string {
	if device == unknownDevice || device == "Unknown device" { // as earlier versions kept it
		return t.UnknownDevice
	}
	if i := strings.LastIndex(device, onSystem); i > 0 {
		return fmt.Sprintf(t.DeviceOn, device[:i], device[i+len(onSystem):])
	}
	return device
}

// maxDeviceName is the longest name, in characters: a client can send any text.
const maxDeviceName = 60

// deviceName returns a client's name as its user knows it: "Firefox on Linux". The client says so
// itself, so the name only helps users to distinguish their own devices.
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
		name += onSystem + on
	}
	return printable(name)
}

// printable leaves out characters that cannot be seen, or change the text around them.
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
