package devicebound

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A text that one of Chromium's keys verifies is one that Chromium has signed, and what is read
// as a key is safe to use.
func FuzzProof(f *testing.F) {
	paths, err := filepath.Glob("testdata/chromium-*.txt")
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	var good []string
	var keys []any
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		head, jws, _ := strings.Cut(string(file), "\n\n")
		jws = strings.TrimSpace(jws)
		f.Add(jws)
		p, err := parseProof(jws)
		if err != nil {
			f.Fatal(err)
		}
		_, jwk, _ := strings.Cut(head, "\nkey: ")
		jwk, _, _ = strings.Cut(jwk, "\n")
		key, err := parseKey(p.alg, []byte(jwk))
		if err != nil {
			f.Fatal(err)
		}
		good, keys = append(good, p.signed), append(keys, key)
	}
	for _, text := range []string{"", "..", "e30.e30.", "e30.e30.AAAA", "eyJhIjoxfQ.eyJhIjoxfQ.", "bnVsbA.bnVsbA.", "W10.W10.", "e30.e30.=", "eyJ0eXAiOiJkYnNjK2p3dCIsImFsZyI6Im5vbmUifQ.eyJqdGkiOiJhIn0."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseProof(text)
		if err != nil {
			return
		}
		if p.alg != es256 && p.alg != rs256 || p.jti == "" || !strings.HasPrefix(text, p.signed+".") {
			t.Errorf("%q is read as %+v", text, p)
		}
		for _, key := range keys {
			if p.verify(key) && !slices.Contains(good, p.signed) {
				t.Errorf("%q is accepted", text)
			}
		}
		switch key := p.key.(type) {
		case nil:
			return
		case *ecdsa.PublicKey:
			if _, err := key.Bytes(); err != nil || p.alg != es256 {
				t.Errorf("the key of %q: %v", text, err)
			}
		case *rsa.PublicKey:
			if key.N.BitLen() < minRSA || key.N.BitLen() > maxRSA || key.E < minExponent || new(big.Int).And(key.N, big.NewInt(1)).Sign() == 0 || p.alg != rs256 {
				t.Errorf("the key of %q is not safe", text)
			}
		}
		kept, err := encodeKey(p.key)
		if err != nil {
			t.Fatalf("the key of %q cannot be kept: %v", text, err)
		}
		if again, err := decodeKey(kept); err != nil || !p.key.(interface{ Equal(crypto.PublicKey) bool }).Equal(again) {
			t.Errorf("the key of %q comes back as another one: %v", text, err)
		}
	})
}

// What is read of a field is text without control characters, and comes back from a string of
// RFC 9651; a reason is a short token.
func FuzzFields(f *testing.F) {
	for _, text := range []string{
		`abc`, `"abc"`, `"a\"b\\c"`, `"abc`, `"a" "b"`, `a, b`, `a;b`, ``, ` `, `"`, `\`, "\x00", "é", `"é"`, `""`,
		`server_error;session_identifier="__Host-sid-bound"`, `quota_exceeded`, `unreachable;session_identifier=other, server_error;session_identifier="id"`,
		`a;b;c="d"`, `a;`, `a;=`, `a,`, `,`, `a;session_identifier="`, `(a b);c`, `a;session_identifier=`, `a;b=?1`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h := http.Header{fieldResponse: {text}, fieldSkipped: {text, text}}
		if value, ok := single(h, fieldResponse); ok {
			if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Errorf("%q is read as %q", text, value)
			}
			if again, ok := single(http.Header{fieldResponse: {quote(value)}}, fieldResponse); !ok || again != value {
				t.Errorf("%q comes back as %q", value, again)
			}
		}
		reason := skipped(h, "id")
		if got, rest := token(reason); got != reason || rest != "" || len(reason) > maxReason {
			t.Errorf("%q gives the reason %q", text, reason)
		}
	})
}

// What is read of a session's record comes back as it was.
func FuzzBinding(f *testing.F) {
	f.Add(binding{alg: es256, key: "a", id: "b", generation: 1, since: 2, until: 3, bound: true}.String())
	f.Add("1.a.b.c.z.z.z.2")
	f.Fuzz(func(t *testing.T, text string) {
		if b, ok := parseBinding(text); ok {
			if again, ok := parseBinding(b.String()); !ok || again != b {
				t.Errorf("%q comes back as %+v, was %+v", text, again, b)
			}
		}
	})
}

// No text counts as a bound cookie or as a challenge but those that the signer has made.
func FuzzTokens(f *testing.F) {
	s := signer{[]byte("a key for tests")}
	now := time.UnixMilli(1_800_000_000_000)
	is := binding{alg: es256, key: "k", id: "i"}.next(now, time.Minute)
	value, challenge := s.cookieValue(is), s.challenge(refreshing(is), now)
	for _, text := range []string{value, challenge, "", "..", ".", "1.2.3", challenge + ".a", "1." + value[2:]} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if reason, _, _ := s.check(is, []*http.Cookie{{Value: text}}, now, time.Second); (reason == "") != (text == value) {
			t.Errorf("the cookie %q gives %q", text, reason)
		}
		if reason := s.answers(refreshing(is), text, now, time.Minute); (reason == "") != (text == challenge) {
			t.Errorf("the challenge %q gives %q", text, reason)
		}
	})
}

func TestSkipped(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`quota_exceeded;session_identifier="id"`:                                                 "quota_exceeded",
		`unreachable`:                                                                            "unreachable",
		`server_error;session_identifier="other"`:                                                "",
		`a;session_identifier="other", server_error;session_identifier=id`:                       "server_error",
		`a;b;c=1;session_identifier="i\"d",b;session_identifier="id"`:                            "b",
		`a;session_identifier="id";session_identifier="other"`:                                   "", // the last one counts
		`a;session_identifier="other";session_identifier="id"`:                                   "a",
		`a;n=-1.5;b=?0;c=:YQ==:;d=@1;session_identifier="other", c;x=?1;session_identifier="id"`: "c",
		"\ta;session_identifier=\"other\"\t,\tb;  session_identifier=id":                         "b",
		`a;session_identifier="other",,b`:                                                        "",
		`()`:                                                                                     "", `(a b);session_identifier="id"`: "", "\u00e9": "", `a;session_identifier="é"`: "", `a;session_identifier="id`: "",
		`;a`: "", `"a"`: "", strings.Repeat("a", maxReason+1): "", strings.Repeat("a,", maxField): "",
	} {
		if got := skipped(http.Header{fieldSkipped: {text}}, "id"); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
	lines := http.Header{fieldSkipped: {`(broken`, `a;session_identifier="other"`, ``, `b;session_identifier="id"`}}
	if got := skipped(lines, "id"); got != "b" {
		t.Errorf("%q gives %q", lines, got)
	}
}
