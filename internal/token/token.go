// Package token finds a session's token in the header of a request, and writes one into the
// header of a response. A token is the signed id, as in the cookie, in letters that an
// Authorization header may have.
package token

import (
	"net/http"
	"strings"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/jar"
)

// Use says what counts where a request has the header and the cookie.
type Use uint8

// The values of Use, as of the type of the root package.
const (
	Off Use = iota
	Wins
	Loses
	Only
)

// Source says where a request's session comes from, and where its response puts a new id.
type Source uint8

const (
	Cookie Source = iota // the request has the cookie, or there is no header to look at
	Header
	Neither
)

// mark begins a signed id in a cookie (see [cookie.Signer.AppendSigned]). A colon has no
// place in an Authorization header, and a token is always signed, so it goes without.
const mark = "s:"

// malformed is what no cookie's value can be. It stands for several tokens, too.
const malformed = "?"

// Reader reads and writes the headers of one manager.
type Reader struct {
	Use      Use
	Name     string // canonical
	Scheme   string // "": the header's value is the token
	Response string // canonical; "": none
}

// Choose returns where a request's session is looked for, and the token in the form of a
// cookie's value, "" if there is none. Whether the request has the header or the cookie
// decides, and not whether they are valid. So a bad token never gives the session of the
// cookie where the header wins, nor the other way round.
func (r *Reader) Choose(h http.Header, name string, former []jar.Cookie) (string, Source) {
	if r == nil {
		return "", Cookie
	}
	return r.choose(h, name, former)
}

func (r *Reader) choose(h http.Header, name string, former []jar.Cookie) (string, Source) {
	value, sent := r.find(h[r.Name])
	if r.Use == Only || sent && r.Use == Wins {
		return value, Header
	}
	if _, n := cookie.Lookup(h["Cookie"], name); n > 0 || jar.Sent(h["Cookie"], former) {
		return "", Cookie
	}
	if sent {
		return value, Header
	}
	return "", Neither
}

// find returns the token in the lines of the header, and whether there is a line of the
// scheme.
func (r *Reader) find(lines []string) (value string, sent bool) {
	for _, line := range lines {
		text, ok := r.after(line)
		switch {
		case !ok:
		case sent, text != "" && !Valid(text):
			return malformed, true
		case text == "":
			sent = true
		default:
			value, sent = mark+text, true
		}
	}
	return value, sent
}

// after returns what follows the scheme (RFC 9110 section 11.4).
func (r *Reader) after(line string) (string, bool) {
	if r.Scheme == "" {
		return line, true
	}
	if len(line) < len(r.Scheme) || !strings.EqualFold(line[:len(r.Scheme)], r.Scheme) {
		return "", false
	}
	rest := line[len(r.Scheme):]
	return strings.TrimLeft(rest, " "), rest == "" || rest[0] == ' ' || rest[0] == '\t' // which is no separator: the token is malformed
}

// Text returns the token for an id. It is "" if a header cannot carry the id.
func (r *Reader) Text(s *cookie.Signer, id string) string {
	if !Valid(id) {
		return ""
	}
	return string(s.AppendSigned(nil, id)[len(mark):])
}

// Write gives the client the token for an id, and reports whether there is a header for it.
func (r *Reader) Write(h http.Header, s *cookie.Signer, id string) bool {
	text := ""
	if r.Response != "" {
		text = r.Text(s, id)
	}
	if text != "" {
		h[r.Response] = []string{text}
	}
	return text != ""
}

// Valid reports whether an Authorization header can carry a text as it is: whether it is the
// token68 of RFC 9110 section 11.2, without the padding.
func Valid(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return text != ""
}
