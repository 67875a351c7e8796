package document

import (
	"bytes"
	"sync/atomic"
	"time"
)

// cookieReader reads cookie members. Nearly all of them differ only in their lifetime and
// date: settings that were read before are found by the text around these.
type cookieReader struct {
	parse func(text []byte) (settings any, l Lifetime, ends Instant, err error)
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
func (c *cookieReader) read(text []byte) (settings any, l Lifetime, ends Instant, err error) {
	if k, l, ends, end := c.find(text); end == len(text) {
		return k.settings, l, ends, nil
	}
	settings, l, ends, err = c.parse(text)
	if err == nil {
		c.learn(text, settings)
	}
	return settings, l, ends, err
}

// find finds the settings of the cookie member with which text begins, and returns where it
// ends; 0 if they are not known.
func (c *cookieReader) find(text []byte) (k *knownCookie, l Lifetime, ends Instant, end int) {
	known := c.known.Load()
	if known == nil {
		return nil, l, 0, 0
	}
	l, at, ok := parseLifetime(text)
	if !ok {
		return nil, l, 0, 0
	}
	for i := range *known {
		k := &(*known)[i]
		if rest, is := bytes.CutPrefix(text[at:], k.before); is {
			ends, length := parseDate(rest)
			if rest, is = bytes.CutPrefix(rest[length:], k.after); is {
				return k, l, ends, len(text) - len(rest)
			}
		}
	}
	return nil, l, 0, 0
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

// parseDate reads the date with which text begins, as [AppendDate] writes it or null, and returns
// how long it is; 0 if there is none.
func parseDate(text []byte) (at Instant, length int) {
	const date = `"2006-01-02T15:04:05.000Z"`
	if bytes.HasPrefix(text, []byte("null")) {
		return 0, len("null")
	}
	if len(text) < len(date) {
		return 0, 0
	}
	var parts [7]int // year to milliseconds
	part := 0
	for i := range len(date) {
		switch c, form := text[i], date[i]; {
		case form >= '0' && form <= '9':
			if c < '0' || c > '9' {
				return 0, 0
			}
			parts[part] = parts[part]*10 + int(c-'0')
		case c != form:
			return 0, 0
		case i > 0:
			part++
		}
	}
	t := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], parts[6]*int(time.Millisecond), time.UTC)
	return Instant(t.UnixMilli()), len(date)
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
	if _, _, _, end := again.find(text); end == len(text) {
		c.known.CompareAndSwap(was, &known)
	}
}
