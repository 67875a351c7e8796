package document

import (
	"bytes"
	"encoding/json"
	"github.com/nestsession/session/internal/jsontext"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"
)

// The members of a document that are not the data's.
const (
	cookieKey = "cookie"        // express-session's
	metaKey   = "__nestsession" // ours; a name that express-session keeps like any data
)

// Meta is our own bookkeeping in a document. Times are in ms since 1970. It counts
// only with the MAC that one of the secrets made for this very record, so that a
// program that can write records can neither change whose they are nor make them lead
// to others.
//
// The flags and what each request reads come first, so that they are in few cache lines.
type Meta struct {
	OwnCookie bool `json:"ownCookie,omitempty"` // the session set its own cookie
	Unseen    bool `json:"unseen,omitempty"`    // no request has come with the id that Renew has made

	// Of the record that is left under an old id:
	Login bool `json:"login,omitempty"` // the successor is a login's: nothing of it may be read
	Carry bool `json:"carry,omitempty"` // and what requests in flight have changed goes there
	Ended bool `json:"ended,omitempty"` // there is no successor

	Forged bool `json:"-"` // there is some, and it does not count
	Stale  bool `json:"-"` // to be written anew: another secret than the first made the MAC, or the data are to be sealed

	Created       Instant `json:"created,omitempty"`
	Used          Instant `json:"used,omitempty"`
	Authenticated Instant `json:"authenticated,omitempty"` // by Login
	Methods       string  `json:"methods,omitempty"`       // of that, with spaces between them
	Owner         string  `json:"owner,omitempty"`
	Successor     string  `json:"successor,omitempty"` // the key of the session's record, under an old id
	Device        *Device `json:"device,omitempty"`    // never changed in place
	Notes         Notes   `json:"notes,omitempty"`     // of extensions
	Seen          Instant `json:"seen,omitempty"`      // when a request came with the id that Renew has made; the old id's grace counts from there
	NewID         string  `json:"newID,omitempty"`     // the session's id, sealed for who holds the old one
	Until         Instant `json:"until,omitempty"`     // at most until when an old id leads to the successor

	// The session's data, sealed. Of the record that Login leaves: the key of the new
	// session's data, for requests that were in flight.
	Sealed string `json:"sealed,omitempty"`

	MAC string `json:"mac,omitempty"`
}

// Tombstone is the document of all sessions that are over. It holds nothing of them, and
// its bytes exist once.
var Tombstone = []byte(`{"` + cookieKey + `":{"originalMaxAge":null},"` + metaKey + `":{"ended":true}}`)

// Dataless is a document without data, for the record under key.
func Dataless(cookie []byte, m Meta, s *Sealer, key string) []byte {
	return append(m.append(append([]byte(`{"`+cookieKey+`":`), cookie...), s, key), '}')
}

// MetaOf reads the bookkeeping of a stored document, whatever its data's type. There is
// none where it does not count.
func (s *Sealer) MetaOf(key string, data []byte) Meta {
	text := jsontext.Find(data, metaKey)
	if text == nil {
		return Meta{}
	}
	m, err := s.read(key, text)
	if err != nil {
		return Meta{}
	}
	return m
}

// OwnerOf is the owner in a stored document's bookkeeping, authentic or not.
func OwnerOf(data []byte) string {
	var m struct {
		Owner string `json:"owner"`
	}
	if json.Unmarshal(jsontext.Find(data, metaKey), &m) != nil {
		return ""
	}
	return m.Owner
}

// room is about how many bytes append writes.
func (m *Meta) room() int {
	if *m == (Meta{}) {
		return 0
	}
	return 128 + len(m.Methods) + len(m.Owner) + len(m.Notes) + len(m.Successor) + len(m.NewID) + len(m.Sealed) + m.Device.size()
}

// append writes the bookkeeping of the record under key as the last member of a
// document, if there is any.
func (m *Meta) append(dst []byte, s *Sealer, key string) []byte {
	if *m == (Meta{}) {
		return dst
	}
	dst = append(dst, `,"`+metaKey+`":{`...)
	from := len(dst)
	dst = m.appendMembers(dst)
	if m.MAC = ""; !m.onlyEnded() {
		members := dst[from:]
		dst = append(s.appendMAC(append(dst, `,"mac":"`...), key, members), '"')
	}
	return append(dst, '}')
}

// parse reads bookkeeping in the form in which append writes it, and returns where it ends. It
// is negative for any other form, which encoding/json reads, and for what is not JSON.
func (m *Meta) parse(text []byte) (end int) {
	if len(text) == 0 || text[0] != '{' {
		return -1
	}
	for i := 1; i < len(text); i++ {
		key, ok := "", false
		if i, ok = parseText(&key, text, i); !ok || i >= len(text) || text[i] != ':' {
			return -1
		}
		i++
		switch key {
		case "created":
			i, ok = m.Created.parse(text, i)
		case "used":
			i, ok = m.Used.parse(text, i)
		case "authenticated":
			i, ok = m.Authenticated.parse(text, i)
		case "seen":
			i, ok = m.Seen.parse(text, i)
		case "until":
			i, ok = m.Until.parse(text, i)
		case "methods":
			i, ok = parseText(&m.Methods, text, i)
		case "owner":
			i, ok = parseText(&m.Owner, text, i)
		case "device":
			if m.Device == nil {
				m.Device = new(Device)
			}
			i, ok = m.Device.parse(text, i)
		case "notes":
			i, ok = parseText((*string)(&m.Notes), text, i)
		case "successor":
			i, ok = parseText(&m.Successor, text, i)
		case "newID":
			i, ok = parseText(&m.NewID, text, i)
		case "sealed":
			i, ok = parseText(&m.Sealed, text, i)
		case "mac":
			i, ok = parseText(&m.MAC, text, i)
		case "ownCookie":
			i, ok = parseFlag(&m.OwnCookie, text, i)
		case "unseen":
			i, ok = parseFlag(&m.Unseen, text, i)
		case "login":
			i, ok = parseFlag(&m.Login, text, i)
		case "carry":
			i, ok = parseFlag(&m.Carry, text, i)
		case "ended":
			i, ok = parseFlag(&m.Ended, text, i)
		default:
			return -1
		}
		switch {
		case !ok || i >= len(text):
			return -1
		case text[i] == '}':
			return i + 1
		case text[i] != ',':
			return -1
		}
	}
	return -1
}

// parse reads a whole number, and returns where it ends.
func (i *Instant) parse(text []byte, at int) (end int, ok bool) {
	n := 0
	for end = at; end < len(text) && '0' <= text[end] && text[end] <= '9'; end++ {
		n = 10*n + int(text[end]-'0')
	}
	*i = Instant(n)
	return end, end == at+1 || end > at && end-at < len("1000000000000000000") && text[at] != '0'
}

// parseText shares the text's memory.
func parseText(dst *string, text []byte, at int) (end int, ok bool) {
	if at >= len(text) || text[at] != '"' {
		return at, false
	}
	for end = at + 1; end < len(text) && text[end] != '"'; end++ {
		if c := text[end]; c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return at, false
		}
	}
	inside := text[at+1 : end]
	*dst = unsafe.String(unsafe.SliceData(inside), len(inside))
	return end + 1, end < len(text)
}

func parseFlag(dst *bool, text []byte, at int) (end int, ok bool) {
	*dst = true
	return at + len("true"), bytes.HasPrefix(text[at:], []byte("true"))
}

// own gives m text of its own, so that it does not keep a whole document in memory. The MAC
// has served its purpose. Sealed data keep the document: they are most of it, and they go
// when they are opened.
func (m *Meta) own() {
	m.Methods, m.Owner, m.Notes = strings.Clone(m.Methods), strings.Clone(m.Owner), Notes(strings.Clone(string(m.Notes)))
	m.Successor, m.NewID, m.MAC = strings.Clone(m.Successor), strings.Clone(m.NewID), ""
	if d := m.Device; d != nil {
		d.Name, d.UserAgent = strings.Clone(d.Name), strings.Clone(d.UserAgent)
	}
}

// onlyEnded reports whether the record says nothing but that its session is over,
// which gives nobody anything: so it needs no MAC, and all such records are alike.
func (m *Meta) onlyEnded() bool { return *m == Meta{Ended: true, MAC: m.MAC} }

// appendMembers writes what the MAC is made of.
func (m *Meta) appendMembers(dst []byte) []byte {
	first := len(dst)
	moment := func(key string, i Instant) {
		if i != 0 {
			dst = strconv.AppendInt(append(dst, key...), int64(i), 10)
		}
	}
	text := func(key, s string) {
		if s != "" {
			dst = AppendJSONText(append(dst, key...), s)
		}
	}
	flag := func(key string, set bool) {
		if set {
			dst = append(dst, key...)
		}
	}
	moment(`,"created":`, m.Created)
	moment(`,"used":`, m.Used)
	moment(`,"authenticated":`, m.Authenticated)
	text(`,"methods":`, m.Methods)
	text(`,"owner":`, m.Owner)
	flag(`,"ownCookie":true`, m.OwnCookie)
	dst = m.Device.append(dst)
	text(`,"notes":`, string(m.Notes))
	flag(`,"unseen":true`, m.Unseen)
	moment(`,"seen":`, m.Seen)
	text(`,"successor":`, m.Successor)
	text(`,"newID":`, m.NewID)
	moment(`,"until":`, m.Until)
	flag(`,"login":true`, m.Login)
	flag(`,"carry":true`, m.Carry)
	flag(`,"ended":true`, m.Ended)
	text(`,"sealed":`, m.Sealed)
	if len(dst) == first {
		return dst
	}
	return append(dst[:first], dst[first+1:]...) // the comma before the first
}

// Lifetime is express-session's originalMaxAge in ms: how long a cookie, and by
// default the session, lives from each visit on. Set but zero is already over.
type Lifetime struct {
	Set bool
	Off bool // it says false, rather than nothing
	MS  int64
}

// From is when a visit at t lets it end; zero if never.
func (l Lifetime) From(t Instant) Instant {
	if !l.Set {
		return 0
	}
	return t + Instant(l.MS)
}

// ParseLifetime reads an originalMaxAge. One that is text makes express-session
// hang; the number that it spells is what was meant.
func ParseLifetime(value any) Lifetime {
	if value == false {
		return Lifetime{Off: true}
	}
	ms, ok := value.(float64)
	if text, isText := value.(string); isText {
		var err error
		ms, err = strconv.ParseFloat(text, 64)
		ok = err == nil
	}
	const longest = float64(math.MaxInt64 / int64(time.Millisecond))
	if !ok || math.IsNaN(ms) || math.Abs(ms) > longest {
		return Lifetime{}
	}
	return Lifetime{Set: true, MS: int64(math.Floor(ms))}
}

// AppendDate writes a date as JavaScript's toISOString, a step at a time: of each
// save it would else be a tenth.
func AppendDate(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	}
	hour, minute, second := t.Clock()
	ms := t.Nanosecond() / 1e6
	dst = append(appendPair(appendPair(dst, year/100), year%100), '-')
	dst = append(appendPair(dst, int(month)), '-')
	dst = append(appendPair(dst, day), 'T')
	dst = append(appendPair(dst, hour), ':')
	dst = append(appendPair(dst, minute), ':')
	dst = append(appendPair(dst, second), '.')
	return append(appendPair(append(dst, byte('0'+ms/100)), ms%100), 'Z')
}

// appendPair writes a number below 100 with two digits.
func appendPair(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// AppendJSONText writes s as a JSON string; a path or domain seldom needs escaping.
func AppendJSONText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			text, err := json.Marshal(s)
			if err == nil {
				return append(dst, text...)
			}
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}
