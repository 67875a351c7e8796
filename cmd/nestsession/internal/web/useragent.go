package web

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mileusna/useragent"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// maxDeviceName is the longest name, in characters: a client can send any text.
const maxDeviceName = 60

// deviceName returns a device's name as its user knows it: the one that was given to it, or what
// the client says of itself, such as "Firefox on Linux". It only helps users to distinguish their
// own devices.
func deviceName(t *text.Text, d session.Device) string {
	if d.Name != "" {
		return d.Name
	}
	ua := useragent.Parse(d.UserAgent)
	name, on := ua.Name, ua.OS
	if ua.Device == "iPhone" || ua.Device == "iPad" {
		on = ua.Device
	}
	if name == "" || name == d.UserAgent {
		name, _, _ = strings.Cut(d.UserAgent, "/")
	}
	name = strings.TrimSpace(name)
	switch {
	case name == "" && on == "":
		return t.UnknownDevice
	case name == "":
		name = on
	case on != "":
		name = fmt.Sprintf(t.DeviceOn, name, on)
	}
	if utf8.RuneCountInString(name) > maxDeviceName {
		name = string([]rune(name)[:maxDeviceName]) + "…"
	}
	return name
}
