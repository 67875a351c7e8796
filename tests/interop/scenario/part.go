package scenario

import (
	"encoding/json"
	"errors"
	"fmt"
)

// PartKind is a way to build a piece of a Cookie line.
type PartKind string

// The kinds of [Part]. "As received" is percent-escaped; the id is between "s:" and the last dot.
const (
	PartText       PartKind = "text"          // Text as it is
	PartJar        PartKind = "jar"           // the jar's value, as received
	PartDecoded    PartKind = "jarDecoded"    // the same, unescaped
	PartLowerHex   PartKind = "jarLowerHex"   // the same, escapes in lower case
	PartID         PartKind = "jarId"         // its id alone
	PartSig        PartKind = "jarSig"        // its signature, escaped
	PartURLSafeSig PartKind = "urlSafeSig"    // its signature with - and _ in place of + and /
	PartSigFlip    PartKind = "jarSigFlip"    // the value, the signature's first character replaced
	PartIDFlip     PartKind = "jarIdFlip"     // the value, the id's first character replaced
	PartCut        PartKind = "jarCut"        // the value without its last N characters
	PartSign       PartKind = "sign"          // ID signed with Secret, escaped
	PartSignRaw    PartKind = "signRaw"       // the same, unescaped
	PartSignJarID  PartKind = "signWithJarId" // the jar's id signed with Secret, escaped
	PartEncode     PartKind = "encode"        // Inner, escaped once more
	PartRepeat     PartKind = "repeat"        // Text, N times
	PartLatin1     PartKind = "latin1"        // Text, each code point one byte
)

// Part is a piece of a Cookie line.
type Part struct {
	Kind   PartKind
	Name   string // of the cookie in the jar
	Text   string
	N      int
	Secret string // raw bytes
	ID     string
	Inner  *Part
}

// UnmarshalJSON reads a text, or an object with one member that names the kind.
func (p *Part) UnmarshalJSON(text []byte) error {
	if text[0] != '{' {
		p.Kind = PartText
		return strict(text, &p.Text)
	}
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	if len(all) != 1 {
		return errors.New("a part has one member")
	}
	p.Kind = PartKind(all[0].Key)
	value := all[0].Value
	switch p.Kind {
	case PartJar, PartDecoded, PartLowerHex, PartID, PartSig, PartURLSafeSig, PartSigFlip, PartIDFlip:
		return strict(value, &p.Name)
	case PartCut:
		return readPair(value, &p.Name, &p.N)
	case PartRepeat:
		return readPair(value, &p.Text, &p.N)
	case PartLatin1:
		return p.readLatin1(value)
	case PartSign, PartSignRaw, PartSignJarID:
		return p.readSign(value)
	case PartEncode:
		p.Inner = new(Part)
		return strict(value, p.Inner)
	}
	return fmt.Errorf("unknown part %q", p.Kind)
}

func readPair(text json.RawMessage, s *string, n *int) error {
	var pair []json.RawMessage
	if err := strict(text, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("%s is not a text and a number", text)
	}
	if err := errors.Join(strict(pair[0], s), strict(pair[1], n)); err != nil {
		return err
	}
	if *n < 0 {
		return fmt.Errorf("%d is less than none", *n)
	}
	return nil
}

func (p *Part) readLatin1(text json.RawMessage) error {
	if err := strict(text, &p.Text); err != nil {
		return err
	}
	for _, c := range p.Text {
		if c > 0xff {
			return fmt.Errorf("%q is not in Latin-1", c)
		}
	}
	return nil
}

func (p *Part) readSign(text json.RawMessage) error {
	with := fields{"secret": (*secretText)(&p.Secret), "id": &p.ID}
	needs := []string{"secret", "id"}
	if p.Kind == PartSignJarID {
		with = fields{"secret": (*secretText)(&p.Secret), "jar": &p.Name}
		needs = []string{"secret", "jar"}
	}
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	if err := all.read(with); err != nil {
		return err
	}
	return all.require(needs...)
}

// secretText is one secret, as text or {"hex":...}.
type secretText string

func (s *secretText) UnmarshalJSON(text []byte) error {
	secret, err := readSecret(text)
	*s = secretText(secret)
	return err
}
