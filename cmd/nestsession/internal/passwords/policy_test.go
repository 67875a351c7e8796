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
		{"fifteen characters without a digit or a sign", "correcthorsebat", nil},
		{"fourteen", "correcthorseba", passwords.ErrTooShort},
		{"none", "", passwords.ErrTooShort},
		{"fifteen syllables of Korean", "말과건전지와스테이플러가맞았다", nil},
		{"fourteen syllables, 42 bytes", "말과건전지와스테이플러가맞다", passwords.ErrTooShort},
		{"fourteen letters in fifteen code points", "correcthorsebe\u0301", passwords.ErrTooShort},
		{"as long as allowed", "correct horse battery" + strings.Repeat("가", 235), nil},
		{"longer", strings.Repeat("가", 257), passwords.ErrTooLong},
		{"much longer", strings.Repeat("a", 1<<20), passwords.ErrTooLong},
		{"a line break", "correct\nhorse battery", passwords.ErrUnusable},
		{"not UTF-8", "correct horse battery\xff", passwords.ErrUnusable},
		{"spaces and signs", "  p@ss wörd! ok  ", nil},
		{"the name twice in capitals", "KIMCHEOLSU KIMCHEOLSU", passwords.ErrIsName},
		{"the name and a year", "Kimcheolsu2026!", passwords.ErrIsName},
		{"the service", "nestsession2026", passwords.ErrIsName},
		{"the service in words", "Nest Session 123", passwords.ErrIsName},
		{"the name and the service", "kimcheolsu@nestsession", passwords.ErrIsName},
		{"the name in a longer text", "kimcheolsu rides a green bicycle", nil},
		{"the commonest, twice", "passwordpassword", passwords.ErrCommon},
		{"in capitals", "PASSWORDPASSWORD", passwords.ErrCommon},
		{"one that many have", "momsanaladventure", passwords.ErrCommon},
		{"one letter", "aaaaaaaaaaaaaaaaaaaa", passwords.ErrCommon},
		{"one letter and another", "aaaaaaaaaaaaaaaaaaab", passwords.ErrCommon},
		{"digits", "12345678901234567890123", passwords.ErrCommon},
		{"digits backwards", "09876543210987654", passwords.ErrCommon},
		{"the alphabet", "abcdefghijklmnopqrstuvwxyz", passwords.ErrCommon},
		{"rows of keys", "qwertyuiopasdfghjkl", passwords.ErrCommon},
		{"rows and digits", "QWERTZuiop!12345678", passwords.ErrCommon},
		{"columns of keys", "1qaz2wsx3edc4rfv5tgb6yhn", passwords.ErrCommon},
		{"a short text again and again", "sesame sesame sesame", passwords.ErrCommon},
		{"one of the same letter in another script", strings.Repeat("가", 40), passwords.ErrCommon},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := passwords.Choose(c.password, "kimcheolsu"); !errors.Is(err, c.want) {
				t.Errorf("Choose(%.40q) = %v, want %v", c.password, err, c.want)
			}
		})
	}
}

// A phone and a desktop encode the same letters in different ways.
func TestThePasswordTypedOnAnotherKeyboardIsTheSame(t *testing.T) {
	t.Parallel()
	composed, decomposed := "caf\u00e9 \ube44\ubc00\ubc88\ud638 battery", "cafe\u0301\u00a0\u1107\u1175\u1106\u1175\u11af\u1107\u1165\u11ab\u1112\u1169 battery"
	a, err := passwords.Choose(composed, "")
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := passwords.Normalize(decomposed); !ok || a != b {
		t.Errorf("Normalize(%+q) = %+q, %v; want %+q", decomposed, b, ok, a)
	}
}

// ASVS 5.0, 6.2.4: at least the 3,000 most common passwords that are long enough.
func TestTheListOfCommonPasswordsIsLongEnough(t *testing.T) {
	t.Parallel()
	n := 0
	for _, p := range passwords.CommonList() {
		if _, err := passwords.Choose(strings.ToUpper(p), "kimcheolsu"); errors.Is(err, passwords.ErrCommon) {
			n++
		}
	}
	if n < 3000 {
		t.Errorf("%d passwords of the list are refused as common, want at least 3,000", n)
	}
}

// Almost every text contains a name of one or two letters, so such a name forbids none.
func TestAShortNameForbidsNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a", "or", "a.b"} {
		if _, err := passwords.Choose("correct horse battery", name); err != nil {
			t.Errorf("for %q: %v", name, err)
		}
	}
	// The parts of a name count as well, because users and attackers think of them first.
	if _, err := passwords.Choose("Correct-Horse battery 7", "correct.horse@battery"); !errors.Is(err, passwords.ErrIsName) {
		t.Errorf("the parts of the name: %v", err)
	}
}
