package client

import (
	"fmt"
	"strings"

	"github.com/nestsession/session/tests/interop/scenario"
)

// Join joins the parts of a Cookie line, as bytes.
func (j *Jar) Join(parts []scenario.Part) (string, error) {
	var b strings.Builder
	for _, p := range parts {
		text, err := j.part(p)
		if err != nil {
			return "", fmt.Errorf("part %q: %w", p.Kind, err)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func (j *Jar) part(p scenario.Part) (string, error) {
	switch p.Kind {
	case scenario.PartText:
		return p.Text, nil
	case scenario.PartRepeat:
		return strings.Repeat(p.Text, p.N), nil
	case scenario.PartLatin1:
		return latin1(p.Text), nil
	case scenario.PartSign:
		return Escape(Sign(p.Secret, p.ID)), nil
	case scenario.PartSignRaw:
		return Sign(p.Secret, p.ID), nil
	case scenario.PartEncode:
		text, err := j.part(*p.Inner)
		return Escape(text), err
	}
	value, err := j.need(p.Name)
	if err != nil {
		return "", err
	}
	switch p.Kind {
	case scenario.PartJar:
		return value, nil
	case scenario.PartDecoded:
		return Unescape(value), nil
	case scenario.PartLowerHex:
		return lowerHex(value), nil
	case scenario.PartCut:
		if p.N > len(value) {
			return "", fmt.Errorf("%d characters of %d cannot be cut", p.N, len(value))
		}
		return value[:len(value)-p.N], nil
	}
	id, sig, ok := Split(Unescape(value))
	if !ok {
		return "", fmt.Errorf("the jar's cookie %q is not a signed one", p.Name)
	}
	switch p.Kind {
	case scenario.PartID:
		return id, nil
	case scenario.PartSig:
		return Escape(sig), nil
	case scenario.PartURLSafeSig:
		return strings.NewReplacer("+", "-", "/", "_").Replace(sig), nil
	case scenario.PartSigFlip:
		return Escape("s:" + id + "." + flip(sig)), nil
	case scenario.PartIDFlip:
		return Escape("s:" + flip(id) + "." + sig), nil
	case scenario.PartSignJarID:
		return Escape(Sign(p.Secret, id)), nil
	}
	return "", fmt.Errorf("unknown")
}

// flip replaces the first character: A with B, any other with A.
func flip(text string) string {
	if text == "" {
		return text
	}
	first, rest := 'A', []rune(text)[1:]
	if strings.HasPrefix(text, "A") {
		first = 'B'
	}
	return string(first) + string(rest)
}

// lowerHex writes the digits of escapes in lower case.
func lowerHex(value string) string {
	b := []byte(value)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(value[i+1:i+3]))
			i += 2
		}
	}
	return string(b)
}

func latin1(text string) string {
	var b []byte
	for _, c := range text {
		b = append(b, byte(c))
	}
	return string(b)
}
