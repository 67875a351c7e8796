package cookie_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nestsession/session/cookie"
)

func TestNewSignerRefusesWhatAnybodyCouldSignWith(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]string{nil, {""}, {"good", ""}} {
		if s, err := cookie.NewSigner(secrets...); err == nil || s != nil {
			t.Errorf("NewSigner(%q) = %v, %v; want an error", secrets, s, err)
		}
	}
}

func TestFirstOfEqualSecretsIsReported(t *testing.T) {
	t.Parallel()
	value := string(newSigner(t, "same").AppendValue(nil, "id"))
	if _, secret, err := newSigner(t, "new", "same", "same").Verify(value); err != nil || secret != 1 {
		t.Errorf("secret %d, %v; want 1", secret, err)
	}
}

// The bytes of the secret are the key, and later changes of the caller's slice
// do not change the signer.
func TestSignerKeepsItsSecrets(t *testing.T) {
	t.Parallel()
	secrets := []string{"one", "two"}
	s := newSigner(t, secrets...)
	value := string(s.AppendValue(nil, "id"))
	secrets[0] = "changed"
	if got := string(s.AppendValue(nil, "id")); got != value {
		t.Errorf("the signature changed from %s to %s", value, got)
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k")
	if got := s.AppendSigned([]byte("x="), "id"); !bytes.HasPrefix(got, []byte("x=s:id.")) {
		t.Errorf("AppendSigned: %s", got)
	}
	if got := s.AppendValue([]byte("x="), "id"); !bytes.HasPrefix(got, []byte("x=s%3Aid.")) {
		t.Errorf("AppendValue: %s", got)
	}
	if got := string(cookie.Append([]byte("x "), "n", "v", nil)); got != "x n=v" {
		t.Errorf("Append: %s", got)
	}
}

// The longest value that browsers keep is read; one byte more is not even
// decoded, whatever it is signed with (CVE-2026-25899).
func TestVerifyLimitsSize(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k")
	signature := string(s.AppendSigned(nil, "x"))
	overhead := len(signature) - 1
	fits := string(s.AppendSigned(nil, strings.Repeat("a", cookie.MaxSize-overhead)))
	if _, _, err := s.Verify(fits); err != nil || len(fits) != cookie.MaxSize {
		t.Errorf("%d bytes: %v", len(fits), err)
	}
	over := string(s.AppendSigned(nil, strings.Repeat("a", cookie.MaxSize-overhead+1)))
	if _, _, err := s.Verify(over); !errors.Is(err, cookie.ErrMalformed) {
		t.Errorf("%d bytes: %v; want ErrMalformed", len(over), err)
	}
}

// Node reads each byte of a header as a character, so a raw id in Latin-1 is
// that id, and one in UTF-8 is another. (A Signer writes neither.)
func TestVerifyReadsRawBytesAsNode(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k")
	macOf := func(id string) string { return strings.TrimPrefix(string(s.AppendSigned(nil, id)), "s:"+id) }
	mac := macOf("café")
	for _, c := range []struct {
		value, id string
		err       error
	}{
		{"s:caf\xe9" + mac, "café", nil},
		{"s%3Acaf\xe9" + mac, "café", nil},
		{"s%3Acaf%C3%A9" + mac, "café", nil},
		{"s:café" + mac, "", cookie.ErrSignature},
		{"s:caf%E9" + mac, "", cookie.ErrSignature},               // no UTF-8: nothing is unescaped
		{"s:caf%C3\xa9" + mac, "", cookie.ErrSignature},           // half of it escaped
		{"s%3Acaf%C3\xa9" + mac, "", cookie.ErrMalformed},         // ... nor is the prefix
		{"s%3Aab" + macOf("ab") + "%E9", "", cookie.ErrMalformed}, // at the very end
		{"s:" + strings.Repeat("\xe9", 100) + macOf(strings.Repeat("é", 100)), strings.Repeat("é", 100), nil},
		{"s:100%\xe9" + macOf("100%é"), "100%é", nil}, // a broken escape as well
	} {
		id, _, err := s.Verify(c.value)
		if id != c.id || !errors.Is(err, c.err) {
			t.Errorf("%q: got %q, %v; want %q, %v", c.value, id, err, c.id, c.err)
		}
	}
}

// Every single character that is changed, left out or added spoils a cookie.
func TestVerifyRefusesEveryChange(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "new", "old")
	signed := string(newSigner(t, "old").AppendSigned(nil, benchID))
	for i := range signed {
		for _, changed := range []string{
			signed[:i] + signed[i+1:],
			signed[:i] + "~" + signed[i+1:],
			signed[:i] + string(signed[i]^1) + signed[i+1:],
			signed[:i] + "A" + signed[i:],
		} {
			if id, _, err := s.Verify(changed); err == nil && changed != signed {
				t.Errorf("%q accepted as %q", changed, id)
			}
		}
	}
}

// A truncated cookie is refused wherever it was cut: as a signature that does not match,
// or, within a %-escape, as a malformed value with the reason.
func TestVerifyOfCutValues(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k")
	within := 0
	for i := range 100 {
		value := string(s.AppendValue(nil, fmt.Sprint("user/", i)))
		signature := strings.LastIndexByte(value, '.') + 1
		for n := signature; n < len(value); n++ {
			cut := value[:n]
			_, _, err := s.Verify(cut)
			if cut[n-1] != '%' && cut[n-2] != '%' {
				if !errors.Is(err, cookie.ErrSignature) {
					t.Errorf("%q: %v, want ErrSignature", cut, err)
				}
				continue
			}
			within++
			if !errors.Is(err, cookie.ErrMalformed) || !strings.Contains(err.Error(), "cut off") {
				t.Errorf("%q: %v, want ErrMalformed that says why", cut, err)
			}
		}
	}
	if within == 0 {
		t.Error("no value was cut within an escape")
	}
	if _, _, err := s.Verify("not signed, 100%"); err != cookie.ErrMalformed {
		t.Errorf("a value that was never escaped: %v", err)
	}
}

func TestZeroSignerIsHarmless(t *testing.T) {
	t.Parallel()
	var s cookie.Signer
	if got := s.AppendValue(s.AppendSigned(nil, "id"), "id"); len(got) != 0 {
		t.Errorf("signed %q with no secret", got)
	}
	value := string(newSigner(t, "k").AppendValue(nil, "id"))
	if id, _, err := s.Verify(value); !errors.Is(err, cookie.ErrSignature) {
		t.Errorf("verified %q with no secret: %v", id, err)
	}
}

// A printed Signer and logged errors do not show secrets or ids (CVE-2023-20866; ASVS 5.0,
// 16.2.5).
func TestNothingSecretIsPrinted(t *testing.T) {
	t.Parallel()
	const secret, id = "hunter2-hunter2", "an-id-to-keep"
	s := newSigner(t, secret)
	value := string(s.AppendValue(nil, id))
	_, _, forged := newSigner(t, "other").Verify(value)
	_, _, foreign := s.Verify(id)
	tooLong := cookie.ValidPair("sid", strings.Repeat(value, 100))
	wrong := cookie.ValidPair("sid", value+";")
	text := fmt.Sprintf("%v %+v %#v %v %v %v %v", s, s, s, forged, foreign, tooLong, wrong)
	decimal := strings.Trim(fmt.Sprint([]byte(secret)), "[]")
	for _, hidden := range []string{secret, id, value, hex.EncodeToString([]byte(secret)), decimal} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q is printed in %s", hidden, text)
		}
	}
}

func TestSignerIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "new", "old")
	old := newSigner(t, "old")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				id := fmt.Sprintf("user/%d-%d", g, i)
				if got, secret, err := s.Verify(string(s.AppendValue(nil, id))); got != id || secret != 0 || err != nil {
					t.Errorf("%s: %q, secret %d, %v", id, got, secret, err)
				}
				if got, secret, err := s.Verify(string(old.AppendValue(nil, id))); got != id || secret != 1 || err != nil {
					t.Errorf("%s: %q, secret %d, %v", id, got, secret, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestValidID(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k")
	for _, id := range []string{"", "a", "a.b", "é", "\xff", "a\xc0\xaf", "\x00", "s:", "%"} {
		valid := cookie.ValidID(id)
		got, _, err := s.Verify(string(s.AppendValue(nil, id)))
		if back := err == nil && got == id; back != (valid == nil) {
			t.Errorf("%q: ValidID says %v, and it comes back as %q, %v", id, valid, got, err)
		}
	}
}
