package cookie_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cookie"
)

// The files in testdata were recorded from express-session 1.19.0.

func readVectors[V any](t testing.TB, file string) []V {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Vectors []V }
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(doc.Vectors) < 30 {
		t.Fatalf("%s has %d vectors only", file, len(doc.Vectors))
	}
	return doc.Vectors
}

// bytesOrText is text in the vectors, or {"hex": ...} for raw bytes.
type bytesOrText string

func (b *bytesOrText) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return json.Unmarshal(text, (*string)(b))
	}
	var raw struct{ Hex string }
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	decoded, err := hex.DecodeString(raw.Hex)
	*b = bytesOrText(decoded)
	return err
}

type signingVector struct {
	Name                               string
	Secrets                            []bytesOrText
	ID, Signed, CookieValue, SetCookie string
	RequestCookies                     []struct {
		How       string
		Cookie    string
		CookieHex string
		Accepted  bool
	}
}

func (v *signingVector) secrets() []string {
	secrets := make([]string, len(v.Secrets))
	for i, s := range v.Secrets {
		secrets[i] = string(s)
	}
	return secrets
}

func TestSigningVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors[signingVector](t, "signing.json") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			s, err := cookie.NewSigner(v.secrets()...)
			for _, secret := range v.secrets() {
				if secret == "" { // differs from express-session on purpose: anybody could sign
					if err == nil {
						t.Fatal("an empty secret was accepted")
					}
					return
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := cookie.ValidID(v.ID); err != nil {
				t.Errorf("ValidID: %v", err)
			}
			if got := string(s.AppendSigned(nil, v.ID)); got != v.Signed {
				t.Errorf("signed\n got %q\nwant %q", got, v.Signed)
			}
			value := string(s.AppendValue(nil, v.ID))
			if value != v.CookieValue {
				t.Errorf("value\n got %q\nwant %q", value, v.CookieValue)
			}
			a := &cookie.Attributes{Path: "/", HTTPOnly: true}
			if got := string(cookie.Append(nil, "connect.sid", value, a)); got != v.SetCookie {
				t.Errorf("Set-Cookie\n got %q\nwant %q", got, v.SetCookie)
			}
			for _, r := range v.RequestCookies {
				line := r.Cookie
				if r.CookieHex != "" {
					raw, err := hex.DecodeString(r.CookieHex)
					if err != nil {
						t.Fatal(err)
					}
					line = string(raw)
				}
				first, n := cookie.Lookup([]string{line}, "connect.sid")
				if n != 1 {
					t.Errorf("%s: found %d cookies", r.How, n)
				}
				id, secret, err := s.Verify(first)
				if !r.Accepted {
					if !errors.Is(err, cookie.ErrMalformed) && !errors.Is(err, cookie.ErrSignature) {
						t.Errorf("%s: accepted as %q, error %v", r.How, id, err)
					}
					continue
				}
				want := 0
				fmt.Sscanf(r.How, "signed with secret number %d", &want)
				if want > 0 {
					want--
				}
				if err != nil || id != v.ID || secret != want {
					t.Errorf("%s: got %q, secret %d, %v; want %q, secret %d", r.How, id, secret, err, v.ID, want)
				}
			}
		})
	}
}

type headerVector struct {
	Name, About, CookieName, Secret string
	Lines, LinesHex                 []string
	ID                              *string
}

func (v *headerVector) lines(t testing.TB) []string {
	lines := v.Lines
	for _, text := range v.LinesHex {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(raw))
	}
	return lines
}

func TestCookieHeaderVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors[headerVector](t, "cookie-headers.json") {
		t.Run(strings.TrimPrefix(v.Name, "cookie-input/"), func(t *testing.T) {
			t.Parallel()
			first, _ := cookie.Lookup(v.lines(t), v.CookieName)
			id, _, err := newSigner(t, v.Secret).Verify(first)
			switch {
			case v.ID == nil && err == nil:
				t.Errorf("%s\naccepted as %q", v.About, id)
			case v.ID != nil && (err != nil || id != *v.ID):
				t.Errorf("%s\ngot %q, %v; want %q", v.About, id, err, *v.ID)
			}
		})
	}
}

type setCookieVector struct {
	Name    string
	Options struct {
		Name   string
		Proxy  bool
		Cookie map[string]any
	}
	TLS       bool
	Headers   [][2]string
	Clock     time.Time
	SetCookie *string
	LateError string
}

func TestSetCookieVectors(t *testing.T) {
	t.Parallel()
	value := string(newSigner(t, "golden").AppendValue(nil, "fixed-id"))
	for _, v := range readVectors[setCookieVector](t, "set-cookie.json") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			name := v.Options.Name
			if name == "" {
				name = "connect.sid"
			}
			a, err := v.attributes()
			if err == nil {
				err = errors.Join(cookie.ValidName(name), a.Validate())
			}
			line := string(cookie.Append(nil, name, value, a))

			if v.SetCookie != nil {
				if err != nil || line != *v.SetCookie {
					t.Errorf("\n got %q, %v\nwant %q", line, err, *v.SetCookie)
				}
				return
			}
			if v.Options.Cookie["secure"] == true && !v.secure() {
				// The session layer decides whether a Secure cookie is sent over plain
				// HTTP. The attributes themselves are valid.
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var field *cookie.FieldError
			if !errors.As(err, &field) {
				t.Fatalf("express-session says %q, we wrote %q, error %v", v.LateError, line, err)
			}
			if !strings.Contains(strings.ToLower(v.LateError), " "+strings.ToLower(field.Field)+" ") {
				t.Errorf("express-session says %q, we say %q", v.LateError, err)
			}
			if line != "" && field.Field != "Expires" {
				t.Errorf("refused, but written: %q", line)
			}
		})
	}
}

func (v *setCookieVector) secure() bool {
	for _, h := range v.Headers {
		if v.Options.Proxy && h[0] == "X-Forwarded-Proto" && h[1] == "https" {
			return true
		}
	}
	return v.TLS
}

// attributes does what the session layer does with the options.
func (v *setCookieVector) attributes() (*cookie.Attributes, error) {
	a := &cookie.Attributes{Path: "/", HTTPOnly: true}
	for key, option := range v.Options.Cookie {
		text, _ := option.(string)
		switch key {
		case "domain":
			a.Domain = text
		case "path":
			a.Path = text
		case "httpOnly":
			a.HTTPOnly = option.(bool)
		case "partitioned":
			a.Partitioned = option.(bool)
		case "secure":
			a.Secure = option == true || text == "auto" && v.secure()
		case "maxAge":
			if ms, ok := option.(float64); ok {
				a.Expires = v.Clock.Add(time.Duration(ms) * time.Millisecond)
			}
		case "expires":
			date, err := parseDate(option.(map[string]any)["at"].(string))
			if err != nil { // never becomes a time.Time, and so never an attribute
				return a, &cookie.FieldError{Field: "Expires", Reason: err.Error()}
			}
			a.Expires = date
		case "priority":
			a.Priority = spelled(text, cookie.PriorityLow, cookie.PriorityMedium, cookie.PriorityHigh)
		case "sameSite":
			a.SameSite = spelled(text, cookie.SameSiteLax, cookie.SameSiteStrict, cookie.SameSiteNone)
			switch {
			case option == true:
				a.SameSite = cookie.SameSiteStrict
			case text == "auto" && v.secure():
				a.SameSite = cookie.SameSiteNone
			case text == "auto":
				a.SameSite = cookie.SameSiteLax
			}
		}
	}
	return a, nil
}

// spelled returns the one of the known that text means, or else text.
func spelled[T ~string](text string, known ...T) T {
	for _, k := range known {
		if strings.EqualFold(text, string(k)) {
			return k
		}
	}
	return T(text)
}

// parseDate parses ISO 8601 as JavaScript does, with years above 9999 in six
// digits and a sign.
func parseDate(text string) (time.Time, error) {
	year := 0
	if strings.HasPrefix(text, "+") {
		if _, err := fmt.Sscanf(text[:7], "%d", &year); err != nil {
			return time.Time{}, err
		}
		text = "2000" + text[7:]
	}
	date, err := time.Parse(time.RFC3339, text)
	if err == nil && year != 0 {
		date = date.AddDate(year-2000, 0, 0)
	}
	return date, err
}
