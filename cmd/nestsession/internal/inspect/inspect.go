// Package inspect says whether a session's cookie is valid, without printing its id.
package inspect

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/nestsession/session/cookie"
)

// Found is the result.
type Found struct {
	Name   string // "" if only a value was given, without a name
	ID     string // as the signature confirms it; a credential
	Secret int    // the index of the secret that made the signature
}

// usual are the default names of session cookies: this program's, with or without the part that
// distinguishes servers, and express-session's.
var usual = regexp.MustCompile(`^((__Host-|__Secure-)?sid(-[0-9a-f]{8})?|connect\.sid)$`)

// Cookie inspects a cookie: its value, pairs as in a Cookie field, or a whole header line. name is
// the cookie's name, "" for the default names. The error says what is wrong, without the value.
func Cookie(text, name string, secrets []string) (Found, error) {
	value, found, err := pick(text, name)
	f := Found{Name: found}
	if err != nil {
		return f, err
	}
	signer, err := cookie.NewSigner(secrets...)
	if err != nil {
		return f, err
	}
	f.ID, f.Secret, err = signer.Verify(value)
	switch {
	case errors.Is(err, cookie.ErrMalformed):
		return f, malformed(value, len(secrets))
	case errors.Is(err, cookie.ErrSignature):
		return f, unsigned(value, len(secrets))
	}
	return f, err
}

// pick finds the value, and the cookie's name if the text has it.
func pick(text, name string) (value, found string, err error) {
	if name != "" {
		if err := cookie.ValidName(name); err != nil {
			return "", "", err
		}
	}
	text = strings.TrimSpace(text)
	for _, field := range []string{"cookie:", "set-cookie:"} {
		if len(text) > len(field) && strings.EqualFold(text[:len(field)], field) {
			text = strings.TrimSpace(text[len(field):])
		}
	}
	if text == "" {
		return "", "", errors.New("standard input is empty: give the cookie on standard input")
	}
	if strings.HasPrefix(text, "s:") || strings.HasPrefix(strings.ToLower(text), "s%3a") {
		return strings.TrimSuffix(text, ";"), name, nil
	}
	if !strings.Contains(text, "=") {
		return text, name, nil
	}
	if name == "" {
		if name, err = session(text); err != nil {
			return "", "", err
		}
	}
	value, n := cookie.Lookup([]string{text}, name)
	switch n {
	case 0:
		return "", "", fmt.Errorf("there is no cookie named %s: give the name of the session's cookie with --name", name)
	case 1:
		return value, name, nil
	}
	return "", name, fmt.Errorf("there are %d cookies with this name, and another host of the domain may have set one of them: inspect them one at a time; the server uses the one whose session is live, if there is only one", n)
}

// session returns the name of the only cookie in text that is a session's by its name.
func session(text string) (string, error) {
	var found []string
	for pair := range strings.SplitSeq(text, ";") {
		name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if usual.MatchString(name) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return "", errors.New("there is no cookie named sid, sid- and eight digits, or connect.sid, with or without the prefix __Host-: give the name of the session's cookie with --name")
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("the cookies %s belong to several servers: choose one with --name", strings.Join(found, ", "))
}

// signatureLength is that of a signature: 32 bytes in base64 without padding.
const signatureLength = 43

// malformed says what is wrong with the form of a value. A value that ends within a %-escape is
// judged without that part, as one that was cut off before it.
func malformed(value string, n int) error {
	if len(value) > cookie.MaxSize {
		return fmt.Errorf("the cookie has %d bytes: browsers keep at most %d, and this library accepts no longer ones", len(value), cookie.MaxSize)
	}
	whole := partOfEscape.ReplaceAllString(value, "")
	raw, err := url.PathUnescape(whole)
	if err != nil {
		raw = whole // as Node reads it
	}
	switch {
	case strings.HasPrefix(raw, "s:") && strings.Contains(raw, ".") && len(whole) < len(value):
		if len(raw)-strings.LastIndexByte(raw, '.')-1 == signatureLength {
			return errors.New("the cookie ends with a part of a %-escape: something was appended to it")
		}
		return unsigned(whole, n)
	case err != nil && !strings.HasPrefix(raw, "s:"):
		return errors.New("the cookie has an invalid %-escape, so no %-escape is decoded: was the cookie changed on its way?")
	case !strings.HasPrefix(raw, "s:"):
		return errors.New(`the cookie is not signed: it does not begin with "s:", or "s%3A"`)
	case !strings.Contains(raw, "."):
		return errors.New("the cookie has no signature: there is no dot in it; was it cut off?")
	}
	return errors.New(`the cookie does not consist of "s:", id, dot and signature`)
}

// partOfEscape returns an incomplete %-escape at the end of a value.
var partOfEscape = regexp.MustCompile(`%[0-9A-Fa-f]?$`)

// unsigned says what is known about a signature that does not verify.
func unsigned(value string, n int) error {
	raw, err := url.PathUnescape(value)
	if err != nil {
		raw = value
	}
	signature := raw[strings.LastIndexByte(raw, '.')+1:]
	switch {
	case len(signature) < signatureLength:
		return fmt.Errorf("the signature has %d characters of %d: was the cookie cut off?", len(signature), signatureLength)
	case len(signature) > signatureLength:
		return fmt.Errorf("the signature has %d characters, %d too many: something was appended to the cookie", len(signature), len(signature)-signatureLength)
	case n == 1:
		return errors.New("the secret did not make this signature: the cookie was signed with another one, or changed on its way")
	}
	return fmt.Errorf("none of the %d secrets made this signature: the cookie was signed with another one, or changed on its way", n)
}
