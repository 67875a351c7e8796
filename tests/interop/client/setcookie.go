package client

import (
	"net/http"
	"strings"
	"time"

	"github.com/nestsession/session/tests/interop/scenario"
)

// SetCookie is a parsed Set-Cookie line.
type SetCookie struct {
	Name, Value string
	Attrs       map[string]any // true for an attribute without value, time.Time for an Expires that can be parsed, otherwise text
}

// ParseSetCookie parses a line and keeps all that it says. If an attribute occurs twice, the second
// one is kept under its name with "(twice)" appended.
func ParseSetCookie(line string) SetCookie {
	pair, rest, more := strings.Cut(line, ";")
	c := SetCookie{Attrs: map[string]any{}}
	c.Name, c.Value, _ = strings.Cut(strings.TrimSpace(pair), "=")
	for more {
		var attr string
		attr, rest, more = strings.Cut(rest, ";")
		name, text, hasText := strings.Cut(strings.TrimSpace(attr), "=")
		if _, twice := c.Attrs[name]; twice {
			name += " (twice)"
		}
		switch t, err := http.ParseTime(text); {
		case !hasText:
			c.Attrs[name] = true
		case strings.EqualFold(name, "Expires") && err == nil:
			c.Attrs[name] = t
		default:
			c.Attrs[name] = text
		}
	}
	return c
}

// Receive describes the Set-Cookie lines of a response in the form of scenarios, and then stores
// the cookies in the jar. verify returns the id in the unescaped value of a session cookie, and the
// secret that signed it. Expires is relative to start.
func (j *Jar) Receive(lines []string, verify func(name, value string) (id string, by int, ok bool), start time.Time) []scenario.Cookie {
	cookies := []scenario.Cookie{}
	before := j.Clone()
	for _, line := range lines {
		c := ParseSetCookie(line)
		j.Set(c.Name, c.Value)
		seen := scenario.Cookie{Name: c.Name, Value: &c.Value, Attrs: c.Attrs}
		for name, v := range c.Attrs {
			if t, ok := v.(time.Time); ok {
				c.Attrs[name] = scenario.In(t, start)
			}
		}
		if id, by, ok := verify(c.Name, Unescape(c.Value)); ok {
			seen.Value, seen.ID, seen.SignedBy, seen.Change = nil, &id, &by, "new"
			if had, ok := before.ID(c.Name); ok && had == id {
				seen.Change = "same"
			}
		}
		cookies = append(cookies, seen)
	}
	return cookies
}
