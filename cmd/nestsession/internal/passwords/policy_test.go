package passwords_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, password string
		want           error
	}{
		{"eight characters without a digit or a sign", "abcdefgh", nil},
		{"seven", "abcdefg", passwords.ErrTooShort},
		{"none", "", passwords.ErrTooShort},
		{"eight syllables of Korean", "비밀번호입니다요", nil},
		{"seven syllables, 21 bytes", "비밀번호입니다", passwords.ErrTooShort},
		{"seven letters in eight code points", "abcdefe\u0301", passwords.ErrTooShort},
		{"as long as allowed", strings.Repeat("가", 256), nil},
		{"longer", strings.Repeat("가", 257), passwords.ErrTooLong},
		{"much longer", strings.Repeat("a", 1<<20), passwords.ErrTooLong},
		{"a line break", "correct\nhorse", passwords.ErrUnusable},
		{"not UTF-8", "correct horse\xff", passwords.ErrUnusable},
		{"spaces and signs", "  p@ss wörd!  ", nil},
		{"the name in capitals", "KIMCHEOLSU", passwords.ErrIsName},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := passwords.Choose(c.password, "kimcheolsu"); !errors.Is(err, c.want) {
				t.Errorf("Choose(%.40q) = %v, want %v", c.password, err, c.want)
			}
		})
	}
}

// A phone and a desktop send the same letters in different forms.
func TestThePasswordTypedOnAnotherKeyboardIsTheSame(t *testing.T) {
	t.Parallel()
	composed, decomposed := "caf\u00e9 \ube44\ubc00\ubc88\ud638", "cafe\u0301\u00a0\u1107\u1175\u1106\u1175\u11af\u1107\u1165\u11ab\u1112\u1169"
	a, err := passwords.Choose(composed, "")
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := passwords.Normalize(decomposed); !ok || a != b {
		t.Errorf("Normalize(%+q) = %+q, %v; want %+q", decomposed, b, ok, a)
	}
}
