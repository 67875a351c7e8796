package cookie_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nestsession/session/cookie"
)

// signedCase is a file in testdata/cases: header lines that say what is
// expected, a blank line, and the lines of the request's Cookie field. What
// they expect was confirmed with the npm packages cookie 0.7.2 and
// cookie-signature 1.0.7, which express-session 1.19.0 uses.
type signedCase struct {
	about, name string
	secrets     []string
	id, refused string
	secret      int
	lines       []string
}

func readCase(t testing.TB, file string) (c signedCase) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, body, ok := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n\n")
	if !ok {
		t.Fatalf("%s: no blank line", file)
	}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "case":
			c.about = value
		case "secret":
			c.secrets = append(c.secrets, value)
		case "name":
			c.name = value
		case "id":
			c.id = value
		case "refused":
			c.refused = value
		case "signed by":
			if _, err := fmt.Sscanf(value, "secret %d", &c.secret); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			c.secret--
		default:
			t.Fatalf("%s: what is %q?", file, key)
		}
	}
	c.lines = strings.Split(body, "\n")
	return c
}

func caseFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	return files
}

func TestCases(t *testing.T) {
	t.Parallel()
	refusals := map[string]error{"malformed": cookie.ErrMalformed, "signature": cookie.ErrSignature}
	for _, file := range caseFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			c := readCase(t, file)
			first, _ := cookie.Lookup(c.lines, c.name)
			id, secret, err := newSigner(t, c.secrets...).Verify(first)
			if want := refusals[c.refused]; !errors.Is(err, want) || id != c.id || secret != c.secret {
				t.Errorf("%s\ngot %q, secret %d, %v\nwant %q, secret %d, %v", c.about, id, secret, err, c.id, c.secret, want)
			}
		})
	}
}
