package passwords

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// The length of a password in code points. NIST SP 800-63B-4 (3.1.1.2) asks for at least
// 15 where the password is the only factor, for room of at least 64, and for no rules
// about which characters it holds; ASVS 5.0 (6.2.1, 6.2.9) agrees.
const (
	MinLength = 15
	MaxLength = 256
)

// The reasons why a password is not acceptable. Package web/text has the sentences for users.
var (
	ErrTooShort = fmt.Errorf("passwords: the password has fewer than %d characters", MinLength)
	ErrTooLong  = fmt.Errorf("passwords: the password has more than %d characters", MaxLength)
	ErrUnusable = errors.New("passwords: the password has a character that cannot be typed in the same way everywhere")
	ErrIsName   = errors.New("passwords: the password is little more than the username or the name of the service")
	ErrCommon   = errors.New("passwords: the password is one of the first that attackers guess")
)

// Normalize returns the form of a password that is hashed, so that the same password typed on
// another keyboard is the same: OpaqueString of RFC 8265 (canonical composition, every kind of
// space becomes the plain one). It reports false for a text that cannot be a password, which the
// caller then treats as a wrong password.
func Normalize(password string) (string, bool) {
	// Composition can shorten a text, but never by this much. The profile would replace all invalid
	// UTF-8 with the same character.
	if len(password) > 4*utf8.UTFMax*MaxLength || !utf8.ValidString(password) {
		return "", false
	}
	normal, err := precis.OpaqueString.String(password)
	if err != nil || utf8.RuneCountInString(normal) > MaxLength {
		return "", false
	}
	return normal, true
}

// Choose is [Normalize] for a new password of the user with the given name: it
// returns [ErrTooShort], [ErrTooLong], [ErrUnusable], [ErrIsName] or [ErrCommon] where it
// is not acceptable.
func Choose(password, username string) (string, error) {
	if utf8.RuneCountInString(password) < MinLength {
		return "", ErrTooShort
	}
	normal, ok := Normalize(password)
	switch {
	case !ok && utf8.RuneCountInString(password) > MaxLength:
		return "", ErrTooLong
	case !ok:
		return "", ErrUnusable
	case utf8.RuneCountInString(normal) < MinLength:
		return "", ErrTooShort
	case isContext(normal, username):
		return "", ErrIsName
	case isCommon(normal):
		return "", ErrCommon
	}
	return normal, nil
}
