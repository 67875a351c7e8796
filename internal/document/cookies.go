package document

import (
	"bytes"
	"sync/atomic"
)

// cookieReader reads cookie members. Nearly all of them differ only in their lifetime and
// date: settings that were read before are found by the text around these.
type cookieReader struct {
	parse func(text []byte) (settings any, l Lifetime, err error)
	write func(settings any) (text []byte) // with no lifetime and no date
	known atomic.Pointer[[]knownCookie]
}

// knownCookie is the text of settings before and after the date.
type knownCookie struct {
	before, after []byte
	settings      any
}

const (
	cookieHead = `{"originalMaxAge":`
	cookieDate = `,"expires":`

	// maxKnownCookies is how many settings are known. An application that gives each
	// session its own Domain or Path has more of them.
	maxKnownCookies = 8
)

// read reads the cookie member whose value is text.
func (c *cookieReader) read(text []byte) (settings any, l Lifetime, err error) {
	if k, l, end := c.find(text); end == len(text) {
		return k.settings, l, nil
	}
	settings, l, err = c.parse(text)
	if err == nil {
		c.learn(text, settings)
	}
	return settings, l, err
}

// find finds the settings of the cookie member with which text begins, and returns where it
// ends; 0 if they are not known.
func (c *cookieReader) find(text []byte) (k *knownCookie, l Lifetime, end int) {
	known := c.known.Load()
	if known == nil {
		return nil, l, 0
	}
	l, at, ok := parseLifetime(text)
	if !ok {
		return nil, l, 0
	}
	for i := range *known {
		k := &(*known)[i]
		if rest, is := bytes.CutPrefix(text[at:], k.before); is {
			if rest, is = bytes.CutPrefix(rest[dateLength(rest):], k.after); is {
				return k, l, len(text) - len(rest)
			}
		}
	}
	return nil, l, 0
}

// parseLifetime reads the lifetime with which this package's cookie members begin.
func parseLifetime(text []byte) (l Lifetime, end int, ok bool) {
	rest, ok := bytes.CutPrefix(text, []byte(cookieHead))
	if !ok {
		return l, 0, false
	}
	if bytes.HasPrefix(rest, []byte("null")) {
		return l, len(cookieHead) + len("null"), true
	}
	var ms Instant
	n, ok := ms.parse(rest, 0)
	return Lifetime{Set: true, MS: int64(ms)}, len(cookieHead) + n, ok && n <= len("100000000000")
}

// dateLength is how long the date is with which text begins.
func dateLength(text []byte) int {
	const date = `"2006-01-02T15:04:05.000Z"`
	if bytes.HasPrefix(text, []byte("null")) {
		return len("null")
	}
	if len(text) < len(date) || text[0] != '"' || text[len(date)-1] != '"' {
		return 0
	}
	for _, c := range text[1 : len(date)-1] {
		if (c < '0' || c > '9') && c != '-' && c != ':' && c != '.' && c != 'T' && c != 'Z' {
			return 0
		}
	}
	return len(date)
}

// learn makes settings known if text is what is written for them.
func (c *cookieReader) learn(text []byte, settings any) {
	if c.write == nil {
		return
	}
	before, after, ok := bytes.Cut(c.write(settings), []byte(cookieDate+"null"))
	_, at, begins := parseLifetime(before)
	if !ok || !begins {
		return
	}
	next := knownCookie{append(before[at:len(before):len(before)], cookieDate...), after, settings}
	var known []knownCookie
	was := c.known.Load()
	if was != nil {
		known = *was
	}
	if len(known) == maxKnownCookies {
		return
	}
	known = append(known[:len(known):len(known)], next)
	again := cookieReader{}
	again.known.Store(&known)
	if _, _, end := again.find(text); end == len(text) {
		c.known.CompareAndSwap(was, &known)
	}
}
