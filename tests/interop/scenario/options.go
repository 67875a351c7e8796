package scenario

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Options are the options of one session layer, with express-session's defaults
// filled in.
type Options struct {
	Secrets           []string // raw bytes; the first signs
	Name              string
	Resave            bool
	Rolling           bool
	SaveUninitialized bool
	UnsetDestroys     bool  // unset: "destroy" rather than "keep"
	Proxy             *bool // nil: ask the framework
	Cookie            CookieOptions
	CookieByPath      []CookieRule // instead of Cookie, if not nil
}

// DefaultName is express-session's name of the cookie.
const DefaultName = "connect.sid"

// UnmarshalJSON reads options.
func (o *Options) UnmarshalJSON(text []byte) error {
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	return o.read(all)
}

// read reads options. An option that express-session does not have, or a value that it would not
// understand, is an error.
func (o *Options) read(options Object) error {
	var (
		secrets              secretList
		name, key, unset     nullable[string]
		resave, rolling, all nullable[bool]
	)
	var proxy nullable[bool]
	*o = Options{}
	err := options.read(fields{
		"secret": &secrets, "name": &name, "key": &key, "resave": &resave, "rolling": &rolling,
		"saveUninitialized": &all, "unset": &unset, "proxy": &proxy,
		"cookie": &o.Cookie, "cookieByPath": &o.CookieByPath,
	})
	if err != nil {
		return err
	}
	if o.CookieByPath != nil && o.Cookie != nil {
		return fmt.Errorf("cookie and cookieByPath together")
	}
	o.Secrets = secrets
	for _, n := range []string{name.value, key.value, DefaultName} {
		if o.Name == "" {
			o.Name = n
		}
	}
	o.Resave = resave.value || !resave.given
	o.SaveUninitialized = all.value || !all.given
	o.Rolling = rolling.value
	switch unset.value {
	case "", "keep":
	case "destroy":
		o.UnsetDestroys = true
	default:
		return fmt.Errorf("unset is %q, neither keep nor destroy", unset.value)
	}
	if proxy.given && !proxy.null {
		o.Proxy = &proxy.value
	}
	return nil
}

// CookieFor returns the cookie options for a request's path.
func (o *Options) CookieFor(path string) CookieOptions {
	if o.CookieByPath == nil {
		return o.Cookie
	}
	for _, r := range o.CookieByPath {
		if len(path) >= len(r.Prefix) && path[:len(r.Prefix)] == r.Prefix {
			return r.Cookie
		}
	}
	return CookieOptions{}
}

// CookieRule is one of cookieByPath: the first rule whose prefix the path begins with counts.
type CookieRule struct {
	Prefix string
	Cookie CookieOptions
}

// UnmarshalJSON reads a rule.
func (r *CookieRule) UnmarshalJSON(text []byte) error {
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	if err := all.read(fields{"prefix": &r.Prefix, "cookie": &r.Cookie}); err != nil {
		return err
	}
	return all.require("prefix", "cookie")
}

// secretList reads a secret or a list of them, each text or {"hex":...}.
type secretList []string

func (l *secretList) UnmarshalJSON(text []byte) error {
	many := []json.RawMessage{text}
	if text[0] == '[' {
		many = nil
		if err := json.Unmarshal(text, &many); err != nil {
			return err
		}
	}
	*l = nil
	for _, one := range many {
		secret, err := readSecret(one)
		if err != nil {
			return err
		}
		*l = append(*l, secret)
	}
	return nil
}

func readSecret(text []byte) (string, error) {
	var secret string
	if text[0] != '{' {
		return secret, strict(text, &secret)
	}
	var digits string
	if err := readObject(text, fields{"hex": &digits}); err != nil {
		return "", err
	}
	raw, err := hex.DecodeString(digits)
	return string(raw), err
}

// nullable distinguishes a missing member from null and from a value.
type nullable[T any] struct {
	given, null bool
	value       T
}

func (n *nullable[T]) UnmarshalJSON(text []byte) error {
	n.given = true
	if n.null = string(text) == "null"; n.null {
		return nil
	}
	return strict(text, &n.value)
}
